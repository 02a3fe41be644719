// CPU of the control plane's forecasts, scoreboard included: `node --expose-gc test/bench/forecast-tick.ts [--backends N] [--seconds N]`.
//
// A scoreboard of two rows that moves as in life, 20 clusters, the default horizons, ticks in virtual time as fast as they go.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from '../../lib/config/cluster.ts';
import type { Subject } from '../../lib/control/forecast/cluster-forecast.ts';
import { Forecasts } from '../../lib/control/forecast/forecasts.ts';
import { systemClock } from '../../lib/core/clock.ts';
import { below, seededRandom } from '../../lib/core/random.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { BackendState, NO_FORECAST, Outcome, PLAIN_LEASES } from '../../lib/scoreboard/ports.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** Share of a core at 4 Hz (F3). */
const GOAL = 0.1;
const TICKS_PER_S = 4;
const CLUSTERS = 20;
const WARM_UP_TICKS = 200;

const { values } = parseArgs({
  options: { backends: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '120' } },
});
const count = Number(values.backends);
const random = seededRandom(1);
const board = createScoreboard({ workers: 2, slots: count, tokenBuckets: 64, clientCells: 64 });
const workers = [attachWorker(board, 0), attachWorker(board, 1)];
const control = attachControl(board);
const decision = {
  state: BackendState.up,
  milliWeight: 1000,
  concurrency: 0,
  slotGeneration: 1,
  ...NO_FORECAST,
  ...PLAIN_LEASES,
};
control.publish(new Map(Array.from({ length: count }, (_, slot) => [slot, decision])));
let nowMs = 0;
let wallMs = Date.parse('2026-01-01T00:00:00Z');
const stateDir = mkdtempSync(join(tmpdir(), 'leaseway-bench-'));
const log = new MemoryLog();
const forecasts = new Forecasts({
  ...{ stateDir, random, log, maxBackends: count, signals: null },
  clock: { monotonicMs: () => nowMs, wallMs: () => wallMs, after: systemClock.after },
});
const clusters = Array.from({ length: CLUSTERS }, (_, i) => ({
  forecast: forecasts.open(`c${i}`, Cluster.parse({})),
  slots: Array.from({ length: count }, (_, slot) => slot).filter(slot => slot % CLUSTERS === i),
}));

/** Every backend ends a few requests and begins others. */
function serve(): void {
  for (let slot = 0; slot < count; slot++) {
    const { ledger } = workers[slot & 1]!;
    const requests = below(random, 4);
    for (let i = 0; i < requests; i++) {
      ledger.begin(slot);
      ledger.settle(slot, Outcome.success, 20 + below(random, 20));
    }
  }
}

function tick(): void {
  nowMs += 250;
  wallMs += 250;
  for (const { forecast, slots } of clusters) {
    const subjects = slots.map(
      (slot): Subject => ({
        id: `b${slot}`,
        slot,
        slotGeneration: 1,
        capacity: {},
        working: true,
        silentMs: 0,
        inFlight: control.inFlight(slot),
        connections: control.tunnels(slot),
        counts: control.totals(slot),
      }),
    );
    forecast.tick(subjects, nowMs, wallMs, false);
  }
  forecasts.tick();
}

const cpuOf = (run: () => void): number => {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
};

const ticksMs: number[] = [];
let longestBetweenMs = 0;
const most = Number(values.seconds) * TICKS_PER_S;
for (let i = 0; i < WARM_UP_TICKS + most; i++) {
  serve();
  const ms = cpuOf(tick);
  // What is done between ticks, such as writing, holds up the loop as well.
  const before = process.threadCpuUsage();
  await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setImmediate(resolve));
  const { user, system } = process.threadCpuUsage(before);
  if (i < WARM_UP_TICKS) continue;
  ticksMs.push(ms);
  longestBetweenMs = Math.max(longestBetweenMs, (user + system) / 1000);
}
const ticks = ticksMs.length;
const cpuMs = ticksMs.reduce((sum, ms) => sum + ms, 0);
const sorted = ticksMs.toSorted((a, b) => b - a);
const share = ((cpuMs / ticks) * TICKS_PER_S) / 1000;
const perBackendUs = (1000 * cpuMs) / ticks / count;
const bytes = [...clusters[0]!.forecast.learned()].map(([, read]) => JSON.stringify(read()).length);
globalThis.gc?.();
const { heapUsed, arrayBuffers } = process.memoryUsage();
const memoryKiB = (heapUsed + arrayBuffers) / 1024 / count;
process.stdout.write(
  `${count} backends: ${(100 * share).toFixed(1)} % of a core at 4 Hz (goal ${100 * GOAL} %), ${perBackendUs.toFixed(1)} µs per backend and tick, ` +
    `longest ticks ${sorted
      .slice(0, 3)
      .map(ms => ms.toFixed(0))
      .join(
        ', ',
      )} ms of CPU (median ${sorted[ticks >> 1]!.toFixed(0)}), between them ${longestBetweenMs.toFixed(0)} ms, ${(Math.max(...bytes) / 1024).toFixed(0)} KiB per backend on disk, ${memoryKiB.toFixed(0)} KiB per backend in memory\n`,
);
rmSync(stateDir, { recursive: true });
process.exitCode = share > GOAL ? 1 : 0;
