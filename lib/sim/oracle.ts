// The oracle: sees every backend as it is this moment, requests on their way included, and all of them. Only a world has one.

import { below } from '../core/random.ts';
import type { StrategyFactory } from '../plan/balance/learner.ts';
import type { PickRequest } from '../plan/balance/picker.ts';

/** The true state of a world. */
export interface Truth {
  /** Requests at the backend or on their way there, from all proxies. */
  present(slot: number): number;
  /** How many requests a backend serves at full speed now. */
  room(slot: number): number;
  /** Of one request; 0 for one that only answers errors. */
  speed(slot: number): number;
}

/** Among those that are done first alike, the emptier: room left is room for chance. */
const SPREAD = 0.001;

/** Least expected completion of a request of mean work. It knows the present, not the future. */
export const oracle =
  (truth: Truth): StrategyFactory =>
  ({ random }) => ({
    learner: null,
    prober: null,
    picker: candidates => ({
      pick(request: PickRequest): number {
        const count = candidates.length;
        if (count === 0) return -1;
        let best = -1;
        let bestScore = Number.POSITIVE_INFINITY;
        const start = below(random, count);
        for (let step = 0; step < count; step++) {
          const { slot } = candidates[(start + step) % count]!;
          if (!request.accepts(slot)) continue;
          const speed = truth.speed(slot);
          const fill = (truth.present(slot) + 1) / truth.room(slot);
          const score = speed === 0 ? Number.MAX_VALUE : Math.max(1, fill) / speed + SPREAD * fill;
          if (best === -1 || score < bestScore) {
            best = slot;
            bestScore = score;
          }
        }
        return best;
      },
    }),
  });
