// The clock of the configuration tests: a day within the validity of the certificates in pem/.

import type { Clock } from '../../lib/core/clock.ts';

export const fixedClock: Clock = {
  monotonicMs: () => 0,
  wallMs: () => Date.UTC(2030, 0, 1),
  after: () => ({ [Symbol.dispose]: () => undefined }),
};
