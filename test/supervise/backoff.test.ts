// How long a thread that died is left dead.

import t from 'tap';
import { type BackoffState, died, started } from '../../lib/supervise/backoff.ts';

t.test('soon at first, ever longer while it keeps dying, never longer than five seconds', async t => {
  let state: BackoffState = started(undefined, 0);
  const delays: number[] = [];
  for (let i = 0; i < 12; i++) {
    state = died(state, i);
    delays.push(state.delayMs);
    state = started(state, i);
  }
  t.ok(delays[0]! <= 200, `${delays[0]} ms after the first death`);
  t.same(
    delays,
    [...delays].sort((a, b) => a - b),
  );
  t.equal(delays.at(-1), 5000);
});

t.test('a thread that lived well died of something new', async t => {
  let state = started(undefined, 0);
  for (let i = 0; i < 8; i++) state = started(died(state, i), i);
  t.equal(died(state, 60_000).delayMs, died(started(undefined, 0), 60_000).delayMs);
});
