// Notices that nothing has passed for a while, at the cost of a look now and then instead of a timer set by every byte.

import { type Clock, every } from '../../core/clock.ts';

const LOOKS = 4;

/** Runs `idle` once `bytes()` has not changed for `idleMs` (a quarter more at most). 0 never does. */
export function watchIdle(clock: Clock, idleMs: number, bytes: () => number, idle: () => void): Disposable {
  if (idleMs === 0) return { [Symbol.dispose]() {} };
  let before = bytes();
  let same = 0;
  const watch = every(clock, idleMs / LOOKS, () => {
    const now = bytes();
    same = now === before ? same + 1 : 0;
    before = now;
    if (same < LOOKS) return;
    watch[Symbol.dispose]();
    idle();
  });
  return watch;
}
