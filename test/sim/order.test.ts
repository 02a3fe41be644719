// Small versions of the published comparisons: the order must come out, and every run must replay from its seed.

import { join } from 'node:path';
import t from 'tap';
import { runOnce, type Setting } from '../../lib/sim/run.ts';
import { loadScenario, policyTitle } from '../../lib/sim/scenario/load.ts';
import type { ScenarioConfig } from '../../lib/sim/scenario/schema.ts';

async function shipped(name: string): Promise<ScenarioConfig> {
  const loaded = await loadScenario(join(import.meta.dirname, '../../config/scenarios', `${name}.yaml`));
  if (!loaded.ok) throw new Error(`${name} is not valid`);
  return loaded.scenario;
}

/** Mean over seeds 1 and 2. */
function averageOf(
  scenario: ScenarioConfig,
  title: string,
  setting: Setting,
  figure: 'p99' | 'success',
): number {
  const policy = scenario.policies.find(one => policyTitle(one) === title)!;
  const runs = [1, 2].map(seed => runOnce(scenario, policy, setting, seed)[figure]);
  return runs.reduce((sum, value) => sum + value, 0) / runs.length;
}

t.test('mixed speeds: Prequal before C3 before WRR before two choices before turns', async t => {
  const scenario = { ...(await shipped('prequal-mixed')), warmup: 6_000, measure: 5_000 };
  for (const load of [0.7, 0.9]) {
    const order = ['oracle', 'prequal', 'c3', 'wrr', 'p2c', 'round_robin'];
    const p99 = order.map(title => averageOf(scenario, title, { load, proxies: 100 }, 'p99'));
    for (let i = 1; i < order.length; i++)
      t.ok(
        p99[i - 1]! < p99[i]!,
        `seeds 1 and 2, ${load}: ${order[i - 1]} ${p99[i - 1]} < ${order[i]} ${p99[i]}`,
      );
  }
});

t.test('one of eleven stalls: 95, 99 and 99.9 % for turns, least loaded and peak-EWMA', async t => {
  const scenario = await shipped('stall-11');
  const success = (title: string) => averageOf(scenario, title, { load: 1000, proxies: 1 }, 'success');
  t.ok(Math.abs(success('round_robin') - 0.955) < 0.003, `${success('round_robin')}`);
  for (const title of ['p2c', 'least_request'])
    t.ok(success(title) > 0.99 && success(title) < 0.998, `${title} ${success(title)}`);
  t.ok(success('peak_ewma') > 0.999 && success('peak_ewma') < 0.9997, `${success('peak_ewma')}`);
  t.equal(success('oracle'), 1);
  for (const title of ['ect', 'ect without probes']) {
    const ratio = (1 - success(title)) / (1 - success('peak_ewma'));
    t.ok(
      ratio < 0.5,
      `${title}: ${ratio} of peak-EWMA's failures: silence is noticed before the first late answer`,
    );
  }
});

t.test('a stall that metrics foretell by 2 s costs nobody an answer', async t => {
  const scenario = await shipped('stall-foretold');
  const setting = { load: 1000, proxies: 1 };
  t.equal(averageOf(scenario, 'ect + gate', setting, 'success'), 1);
  t.ok(averageOf(scenario, 'ect', setting, 'success') < 0.9999, 'which it does without a gate');
});

t.test(
  'jobs, pauses and maintenance are foreseen: the gate on forecasts before that on the present',
  async t => {
    const scenario = await shipped('learnable');
    const setting = { load: 0.6, proxies: 4 };
    const [foreseen, present] = ['ect + gate', 'ect + present'].map(title => {
      const policy = scenario.policies.find(one => policyTitle(one) === title)!;
      return runOnce(scenario, policy, setting, 1);
    });
    t.ok(foreseen!.p999 < 0.5 * present!.p999, `seed 1: ${foreseen!.p999} < 0.5 * ${present!.p999}`);
    t.ok(foreseen!.slow < 0.15 * present!.slow, `seed 1: ${foreseen!.slow} < 0.15 * ${present!.slow}`);
  },
);

t.test('expected completion learns enough from reports to beat Prequal behind one proxy', async t => {
  const scenario = { ...(await shipped('prequal-mixed')), warmup: 8_000, measure: 5_000 };
  const setting = { load: 0.9, proxies: 1 };
  const [ect, other] = ['ect', 'prequal'].map(title => averageOf(scenario, title, setting, 'p99'));
  t.ok(ect! < other!, `seeds 1 and 2: ${ect} < ${other}`);
});

t.test('a run replays from its seed, and other policies meet the same requests', async t => {
  const scenario = { ...(await shipped('prequal-mixed')), warmup: 300, measure: 500 };
  const setting = { load: 0.9, proxies: 20 };
  const runs = scenario.policies.map(policy => runOnce(scenario, policy, setting, 5));
  t.same(
    scenario.policies.map(policy => runOnce(scenario, policy, setting, 5)),
    runs,
  );
  t.equal(new Set(runs.map(run => run.requests)).size, 1);
  t.not(runOnce(scenario, 'p2c', setting, 6).requests, runs[0]!.requests);
});
