import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatProblem } from '../../lib/config/problem.ts';
import { runOnce, settingsOf } from '../../lib/sim/run.ts';
import { loadScenario, readScenario } from '../../lib/sim/scenario/load.ts';

const FOLDER = join(import.meta.dirname, '../../config/scenarios');

for (const file of readdirSync(FOLDER).filter(name => name.endsWith('.yaml')))
  t.test(`${file} is valid and runs with every policy`, async t => {
    const loaded = await loadScenario(join(FOLDER, file));
    if (!loaded.ok) return void t.fail(loaded.problems.map(formatProblem).join('\n'));
    const scenario = { ...loaded.scenario, warmup: 300, measure: 700 };
    for (const setting of settingsOf(scenario).slice(0, 2))
      for (const policy of scenario.policies) {
        const run = runOnce(scenario, policy, setting, 3);
        t.ok(run.requests > 20, JSON.stringify(setting));
        t.ok(run.p50 > 0 && run.p50 <= run.p99 && run.p99 <= run.p999);
        t.ok(run.success >= 0 && Math.abs(run.success + run.late + run.errors - 1) < 1e-9);
      }
  });

const LEAST = `describe: small
load: [0.5]
servers: [{ name: web, count: 2 }]
policies: [p2c]
`;
const WRONG: readonly (readonly [name: string, text: string, says: RegExp])[] = [
  [
    'a policy nobody knows',
    LEAST.replace('p2c', 'p3c'),
    /^s\.yaml:4:12 policies\[0\]: expected one of round_robin, .* p2c, .*, found "p3c"/,
  ],
  [
    'an unknown key',
    `${LEAST}warmpu: 3s\n`,
    /^s\.yaml:5:1 warmpu: unknown key "warmpu"; did you mean "warmup"/,
  ],
  ['a number without a unit', `${LEAST}measure: 3\n`, /^s\.yaml:5:10 measure: .*a number needs a unit: 3s/],
  ['load and rate', `${LEAST}rate: [5]\n`, /^s\.yaml:5:7 rate: load is given already/],
  ['neither', LEAST.replace('load: [0.5]\n', ''), /^s\.yaml:2:10 servers: neither load nor rate/],
  [
    'no such group',
    `${LEAST}disturbances: [{ servers: db }]\n`,
    /^s\.yaml:5:27 disturbances\[0\].servers: no group db/,
  ],
  ['no such baseline', `${LEAST}baseline: c3\n`, /^s\.yaml:5:11 baseline: no policy c3; expected one of p2c/],
  [
    'a policy twice',
    LEAST.replace('[p2c]', '[p2c, p2c]'),
    /^s\.yaml:4:17 policies\[1\]: there is a policy p2c already/,
  ],
  ['boundless capacity', `${LEAST}work: { sleep: 100% }\n`, /^s\.yaml:2:7 load: .*no limit to be a share of/],
  [
    'more than can be run',
    `${LEAST}measure: 1h\nwork: { mean: 1ms }\nproxies: [1]\n`.replace('count: 2', 'count: 1000'),
    /measure: \d+ requests in a run; expected at most/,
  ],
  ['no YAML', 'describe: [', /^s\.yaml:\d+:\d+ /],
];
for (const [name, text, says] of WRONG)
  t.test(`a scenario with ${name} is refused, with its place`, async t => {
    const read = readScenario('s.yaml', text);
    t.equal(read.ok, false);
    if (!read.ok) t.match(read.problems.map(formatProblem).join('\n'), says);
  });

t.test('the least that runs', async t => {
  t.equal(readScenario('s.yaml', LEAST).ok, true);
  const missing = await loadScenario(join(FOLDER, 'no-such-file.yaml'));
  t.match(missing, { ok: false, missing: true });
});
