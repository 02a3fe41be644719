// Full jitter: anywhere between nothing and the bound, and the bound doubles up to the cap.

import t from 'tap';
import { fullJitterMs } from '../../lib/client/backoff.ts';

t.test('doubles up to the cap', async t => {
  const longest = [0, 1, 2, 3, 10, 1_000].map(attempt => fullJitterMs(attempt, 100, 1_000, () => 1));
  t.same(longest, [100, 200, 400, 800, 1_000, 1_000]);
  t.equal(
    fullJitterMs(5, 100, 1_000, () => 0),
    0,
  );
});
