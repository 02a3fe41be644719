// Overload in virtual time, by the very classes of the proxy: goodput and the time to settle, against none and a fixed line.

import { join } from 'node:path';
import t from 'tap';
import { loadScenario, policyTitle } from '../../lib/sim/scenario/load.ts';
import { stepResponse } from '../support/step-response.ts';

const SEEDS = 20;

const loaded = await loadScenario(join(import.meta.dirname, '../../config/scenarios/overload.yaml'));
if (!loaded.ok) throw new Error('overload.yaml is not valid');
const { scenario } = loaded;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const policy = (title: string) => scenario.policies.find(one => policyTitle(one) === title)!;

t.test('at 1.4 and 2 times the capacity nearly all of it is in time, soon', async t => {
  t.comment(`seeds 1 to ${SEEDS}`);
  for (const to of [1.4, 2]) {
    const auto = stepResponse(scenario, policy('auto'), 0.7, to, SEEDS);
    const goodput = mean(auto.goodput);
    t.comment(
      `${to}: goodput ${goodput.toFixed(3)}, settled ${auto.settledMs} ms, limit ${auto.limit.toFixed(1)}`,
    );
    t.ok(goodput >= 0.95, `goodput ${goodput}`);
    t.ok(auto.settledMs <= 200, `settled after ${auto.settledMs} ms`);
    t.ok(auto.limit >= 20 && auto.limit <= 40, `a limit of ${auto.limit} for 20 cores`);
  }
});

t.test('a proxy that starts into an overload takes no queue for the base', async t => {
  const [web] = scenario.servers;
  for (const to of [2, 4]) {
    const small = { ...scenario, servers: [{ ...web!, cores: 2 }] };
    const { goodput, limit } = stepResponse(small, policy('auto'), to, to, 10, 0);
    t.comment(`seeds 1 to 10, ${to}: goodput ${mean(goodput).toFixed(3)}, limit ${limit.toFixed(1)}`);
    t.ok(mean(goodput) >= 0.92, `goodput of the first three seconds ${mean(goodput)}`);
    t.ok(limit < 16, `a limit of ${limit} for 2 cores`);
  }
});

t.test('a line in order of arrival serves as many, ten times as late', async t => {
  const to = 2;
  const auto = stepResponse(scenario, policy('auto'), 0.7, to, 3);
  const fifo = stepResponse(scenario, policy('fixed 24 fifo'), 0.7, to, 3);
  const none = stepResponse(scenario, policy('no limit'), 0.7, to, 3);
  t.comment(
    `mean latency: ${auto.latencyMs} ms; in order ${fifo.latencyMs}, without a limit ${none.latencyMs}`,
  );
  t.ok(fifo.latencyMs > auto.latencyMs * 5);
  t.ok(none.latencyMs > auto.latencyMs * 5);
});
