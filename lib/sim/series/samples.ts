// The samples a proxy would see of a series: some lost, the others late.

import { seededRandom } from '../../core/random.ts';
import type { Sample } from '../../plan/forecast/forecaster.ts';
import type { Series } from './generate.ts';
import type { SignalPath } from './spec.ts';

/** Monotonic time of the first sample; arbitrary. */
const START_MS = 1_000_000;

/** One sample per step: what is newest of what has arrived, with its age. Nothing before the first has arrived. */
export function* samplesOf(
  series: Series,
  signal: SignalPath,
  seed: number,
): Generator<{ readonly step: number; readonly sample: Sample }> {
  const random = seededRandom(seed ^ 0x51a1e);
  const { stepMs, startWallMs, load } = series;
  const delaySteps = Math.ceil(signal.ageMs / stepMs);
  let newest = -1;
  for (let step = 0; step < load.length; step++) {
    const arriving = step - delaySteps;
    if (arriving >= 0 && random.next() >= signal.lossShare) newest = arriving;
    if (newest < 0) continue;
    yield {
      step,
      sample: {
        atMs: START_MS + step * stepMs,
        wallMs: startWallMs + step * stepMs,
        load: load[newest]!,
        ageMs: (step - newest) * stepMs,
      },
    };
  }
}
