// Weeks of a cluster's load in the memory of forecasts, so that a proxy that starts now has lived through them.

import { join } from 'node:path';
import { ClusterOutlook } from '../../lib/control/forecast/cluster-outlook.ts';
import { ForecastMemory } from '../../lib/control/forecast/memory.ts';
import { CLUSTER_ITSELF } from '../../lib/control/forecast/outlooks.ts';
import { generateSeries } from '../../lib/sim/series/generate.ts';
import { MINUTE_PRESETS } from '../../lib/sim/series/presets.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryLog } from './memory-log.ts';

const MINUTE_MS = 60_000;
const DAY = 1440;

/** Loads with a job each hour, the last of them of the minute before `untilMs`. */
export function livedOutlook(cluster: string, days: number, untilMs: number): ClusterOutlook {
  const outlook = new ClusterOutlook(cluster);
  const { load } = generateSeries({ ...MINUTE_PRESETS.hourlyJobs, steps: days * DAY }, 41);
  const firstMs = Math.floor(untilMs / MINUTE_MS) * MINUTE_MS - load.length * MINUTE_MS;
  // A minute is over when the next begins.
  for (const [i, value] of [...load, load.at(-1)!].entries())
    outlook.observe(3 * value, 3, firstMs + i * MINUTE_MS);
  return outlook;
}

/** As `forecasts.jsonl` of this state directory. */
export async function rememberOutlook(stateDir: string, outlook: ClusterOutlook): Promise<void> {
  const memory = new ForecastMemory(join(stateDir, 'forecasts.jsonl'), new FakeClock(), new MemoryLog());
  const line = { cluster: outlook.cluster, id: CLUSTER_ITSELF, read: () => outlook.save() };
  await memory.close(() => [line].values());
}
