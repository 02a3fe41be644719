// The world of sessions: shipped scenarios run, the same seed is the same world, and in small the order of the rules is as in large.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatProblem } from '../../../lib/config/problem.ts';
import { Demand } from '../../../lib/sim/sessions/demand.ts';
import { loadSessions, readSessions } from '../../../lib/sim/sessions/load.ts';
import { SessionWorld } from '../../../lib/sim/sessions/world.ts';

const FOLDER = join(import.meta.dirname, '../../../config/scenarios/sessions');

for (const file of readdirSync(FOLDER))
  t.test(`${file} is valid and runs with every policy`, async t => {
    const loaded = await loadSessions(join(FOLDER, file));
    if (!loaded.ok) return void t.fail(loaded.problems.map(formatProblem).join('\n'));
    const scenario = {
      ...loaded.scenario,
      warmup: 120_000,
      measure: 240_000,
      sessions: { ...loaded.scenario.sessions, open: 400 },
    };
    for (const policy of scenario.policies) {
      const run = new SessionWorld(scenario, policy, 1).run();
      t.ok(run.overload >= 0 && run.overload <= 1 && run.spread >= 1, `${policy.as ?? policy.policy}`);
      t.ok(run.sessions > 300 && run.sessions < 520, `${run.sessions} sessions of 400`);
    }
  });

const read = (text: string) => {
  const loaded = readSessions('test.yaml', text);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.scenario;
};

t.test('the same seed is the same world, another seed another one', t => {
  const scenario = read(`describe: small
warmup: 60s
measure: 3m
sessions: { open: 200 }
backends: [{ name: one, count: 4 }]
utilization: 0.8
policies: [{ policy: reactive }]
`);
  const run = (seed: number) => new SessionWorld(scenario, scenario.policies[0]!, seed).run();
  t.same(run(5), run(5));
  t.not(run(5).spread, run(6).spread);
  t.end();
});

t.test('demand is what the scenario says on average', t => {
  const scenario = read(`describe: small
sessions: { open: 2000, rooms: {} }
backends: [{ name: one }]
policies: [{ policy: reactive }]
`);
  const demand = new Demand(scenario.sessions, 3);
  let sum = 0;
  let open = 0;
  const seconds = 3_000;
  for (let atS = 0; atS < seconds; atS++) {
    demand.step(atS, () => {});
    for (const visitor of demand.open) sum += visitor.demand;
    open += demand.open.length;
  }
  const relative = sum / seconds / demand.mean;
  t.ok(relative > 0.85 && relative < 1.1, `${relative} of what was said`);
  t.ok(Math.abs(open / seconds - 2_000) < 150, `${open / seconds} of 2,000 open`);
  t.end();
});

t.test('a drain with a planner cuts nobody; without one it cuts all who are left', t => {
  const scenario = read(`describe: drains
warmup: 60s
measure: 8m
sessions: { open: 300, life: { mean: 1h, deviation: 0.5 } }
backends: [{ name: one, count: 5 }]
utilization: 0.5
rolling: { at: 90s, every: 2m, deadline: 60s, away: 30s }
policies: [{ policy: least_connections }, { policy: predictive }]
`);
  const [least, predictive] = scenario.policies.map(policy => new SessionWorld(scenario, policy, 1).run());
  t.ok(least!.dropped > 100, `${least!.dropped} cut`);
  t.equal(predictive!.dropped, 0);
  t.end();
});

t.test('jobs that come again are met before they start', t => {
  const scenario = read(`describe: jobs
warmup: 25m
measure: 10m
sessions: { open: 500, life: { mean: 1h, deviation: 0.5 }, hot: { share: 0 } }
backends: [{ name: one, count: 8 }]
utilization: 0.6
jobs: { every: 2m, for: 20s, to: 0.5, share: 0.4, drift: 500ms }
policies: [{ policy: least_connections }, { policy: reactive }, { policy: predictive }]
`);
  const [least, reactive, predictive] = scenario.policies.map(policy => {
    let overload = 0;
    for (const seed of [1, 2, 3]) overload += new SessionWorld(scenario, policy, seed).run().overload / 3;
    return overload;
  });
  t.comment(`overload: ${least}, ${reactive}, ${predictive}; seeds 1 to 3`);
  t.ok(reactive! < least!);
  t.ok(predictive! < 0.5 * reactive!);
  t.end();
});

const LEAST = `describe: small
sessions: { open: 10 }
backends: [{ name: one }]
policies: [{ policy: reactive }]
`;
const WRONG: readonly (readonly [name: string, text: string, says: RegExp])[] = [
  ['an unknown key', `${LEAST}sesions: {}\n`, /sesions/],
  ['an unknown policy', LEAST.replace('reactive', 'clever'), /least_connections/],
  ['lines that cross', LEAST.replace('reactive', 'reactive, over: 0.7, under: 0.8'), /less than over/],
  ['a baseline that is not there', `${LEAST}baseline: other\n`, /no policy other/],
  ['a goal of nobody', `${LEAST}goals: [{ policy: x, figure: overload, value: 1 }]\n`, /no policy x/],
  ['nobody from the start', LEAST.replace('name: one', 'name: one, joins: 5s'), /from the start/],
  [
    'two of one name',
    LEAST.replace('[{ policy: reactive }]', '[{ policy: reactive }, { policy: reactive }]'),
    /another name/,
  ],
  ['more than can be run', LEAST.replace('open: 10', 'open: 200000'), /at most/],
];
for (const [name, text, says] of WRONG)
  t.test(`refused: ${name}`, t => {
    const loaded = readSessions('test.yaml', text);
    t.equal(loaded.ok, false);
    if (!loaded.ok) t.match(loaded.problems.map(formatProblem).join('\n'), says);
    t.end();
  });
