// Goodput at twice the capacity and the time to settle after a step, simulated with the very classes of plan/overload:
// `node test/bench/overload.ts [--seeds N] [--json FILE]`. The baselines are the other policies of the scenario, in the same run.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { meanInterval } from '../../lib/sim/measure/bootstrap.ts';
import { loadScenario, policyTitle } from '../../lib/sim/scenario/load.ts';
import { stepResponse } from '../support/step-response.ts';

const BEFORE = 0.7;
const GOALS = { goodput: 0.95, settledMs: 200 };
const OURS = 'auto';
const BASELINE = 'fixed 1000 fifo';

const { values } = parseArgs({ options: { seeds: { type: 'string' }, json: { type: 'string' } } });
const loaded = await loadScenario(join(import.meta.dirname, '../../config/scenarios/overload.yaml'));
if (!loaded.ok) throw new Error('overload.yaml is not valid');
const { scenario } = loaded;
const seeds = Number(values.seeds ?? scenario.seeds);

const rows = [];
for (const to of [1.4, 2]) {
  process.stdout.write(`\nload ${BEFORE} → ${to} of the capacity, ${seeds} seeds\n`);
  const cells = ['', 'GOODPUT', 'SETTLED ms', 'LATENCY ms', 'LIMIT'];
  process.stdout.write(
    `${cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(22))).join('')}\n`,
  );
  for (const policy of scenario.policies) {
    const title = policyTitle(policy);
    const { goodput, settledMs, latencyMs, limit } = stepResponse(scenario, policy, BEFORE, to, seeds);
    const { value, low, high } = meanInterval(goodput);
    const line = [
      `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`,
      Number.isNaN(settledMs) ? 'never' : String(settledMs),
      latencyMs.toFixed(1),
      limit === 0 ? 'none' : limit.toFixed(1),
    ];
    process.stdout.write(`${title.padEnd(26)}${line.map(cell => cell.padStart(22)).join('')}\n`);
    const row = { goal: null, baseline: title === OURS ? BASELINE : null };
    rows.push({
      ...{ figure: `goodput at ${to} × capacity, ${title}`, value, unit: 'of capacity', ...row },
      ...(title === OURS && { goal: GOALS.goodput }),
      ...{ sense: '>=', runs: goodput },
    });
    rows.push({
      ...{
        figure: `settled after a step to ${to} × capacity, ${title}`,
        value: settledMs,
        unit: 'ms',
        ...row,
      },
      ...(title === OURS && to === 1.4 && { goal: GOALS.settledMs }),
      ...{ sense: '<=', runs: [settledMs] },
    });
    if (title !== OURS) continue;
    const met = value >= GOALS.goodput && (to !== 1.4 || settledMs <= GOALS.settledMs);
    process.stdout.write(`${met ? 'met   ' : 'MISSED'}  goodput ≥ ${GOALS.goodput}`);
    process.stdout.write(`${to === 1.4 ? `, settled ≤ ${GOALS.settledMs} ms` : ''}\n`);
  }
}

process.stdout.write(`\nstarted into an overload, ${seeds} seeds: goodput of the first three seconds\n`);
const [web] = scenario.servers;
for (const cores of [2, 20])
  for (const to of [1.4, 2, 4]) {
    const small = { ...scenario, servers: [{ ...web!, cores }] };
    const auto = scenario.policies.find(policy => policyTitle(policy) === OURS)!;
    const { goodput, limit } = stepResponse(small, auto, to, to, seeds, 0);
    const { value, low, high } = meanInterval(goodput);
    const figure = `${cores} cores, ${to} × capacity`;
    const cells = `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`.padStart(22);
    process.stdout.write(`${figure.padEnd(26)}${cells}  limit ${limit.toFixed(1)}\n`);
    rows.push({
      ...{
        figure: `goodput from the start, ${figure}`,
        value,
        unit: 'of capacity',
        goal: null,
        baseline: null,
      },
      ...{ sense: '>=', runs: goodput },
    });
  }
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
