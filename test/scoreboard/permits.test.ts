import t from 'tap';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { releaseRow } from '../../lib/scoreboard/supervise.ts';
import { settle } from '../support/fake-clock.ts';

function setUp(workers = 3) {
  const board = createScoreboard({ workers, slots: 4, tokenBuckets: 64, clientCells: 64 });
  return {
    board,
    ledgers: Array.from({ length: workers }, (_, row) => attachWorker(board, row).ledger),
    control: attachControl(board),
  };
}

t.test('places are shared by all workers and never more than the limit', async t => {
  const { ledgers, control } = setUp();
  const [a, b, c] = ledgers;
  t.strictSame(
    [a, b, c].map(ledger => ledger!.acquire(1, 2)),
    [true, true, false],
  );
  t.equal(control.permits(1), 2);
  t.equal(c!.acquire(2, 2), true, 'another backend has places of its own');
  t.equal(c!.acquire(1, 3), true, 'a limit that was raised counts at once');
  a!.release(1);
  t.equal(c!.acquire(1, 2), false, 'one that was lowered too');
  b!.release(1);
  t.equal(b!.acquire(1, 2), true);
});

t.test('without a limit every place is given, and still counted', async t => {
  const { ledgers, control } = setUp();
  for (let i = 0; i < 100; i++) t.equal(ledgers[0]!.acquire(0, 0), true);
  t.equal(control.permits(0), 100);
  t.equal(control.idle(0), false);
});

t.test('a dead worker’s places come back, and who waits is told', async t => {
  const { board, ledgers, control } = setUp();
  let wakes = 0;
  ledgers[1]!.onReleased(() => wakes++);
  ledgers[0]!.acquire(0, 1);
  t.equal(ledgers[1]!.acquire(0, 1), false);
  releaseRow(board, 0);
  await settle();
  t.equal(wakes, 1);
  t.equal(control.permits(0), 0);
  t.equal(ledgers[1]!.acquire(0, 1), true);
});

t.test('only who was refused is woken, once per refusal and not once per release', async t => {
  const { ledgers } = setUp();
  const [a, b, c] = ledgers;
  const wakes = [0, 0, 0];
  for (const [i, ledger] of ledgers.entries()) ledger.onReleased(() => wakes[i]!++);
  for (let i = 0; i < 4; i++) a!.acquire(0, 4);
  t.equal(b!.acquire(0, 4), false);
  t.equal(b!.acquire(0, 4), false);
  for (let i = 0; i < 4; i++) a!.release(0);
  await settle();
  t.strictSame(wakes, [0, 1, 0]);
  a!.acquire(0, 4);
  a!.release(0);
  await settle();
  t.strictSame(wakes, [0, 1, 0], 'nobody was refused since');
  for (let i = 0; i < 4; i++) a!.acquire(0, 4);
  t.equal(c!.acquire(0, 4), false);
  t.equal(b!.acquire(0, 4), false);
  a!.release(0);
  await settle();
  t.strictSame(wakes, [0, 2, 1]);
});

t.test('a release between the refusal and the subscription is not missed', async t => {
  const { ledgers } = setUp();
  const [a, b] = ledgers;
  a!.acquire(0, 1);
  t.equal(b!.acquire(0, 1), false);
  a!.release(0);
  let wakes = 0;
  b!.onReleased(() => wakes++);
  await settle();
  t.equal(wakes, 1);
});

t.test('a subscription that ended is silent, a new one hears; two at once are a mistake', async t => {
  const { ledgers } = setUp();
  const [a, b] = ledgers;
  let first = 0;
  let second = 0;
  const subscription = b!.onReleased(() => first++);
  t.throws(() => b!.onReleased(() => {}), /one subscription/);
  a!.acquire(0, 1);
  b!.acquire(0, 1);
  subscription[Symbol.dispose]();
  b!.onReleased(() => second++);
  a!.release(0);
  await settle();
  t.strictSame([first, second], [0, 1]);
});

t.test('a waiter that is woken and refused again is woken again, until it has its place', async t => {
  const { ledgers } = setUp();
  const [a, b, c] = ledgers;
  a!.acquire(0, 1);
  let has = false;
  let tries = 0;
  b!.onReleased(() => {
    tries += 1;
    has = b!.acquire(0, 1);
  });
  b!.acquire(0, 1);
  a!.release(0);
  c!.acquire(0, 1); // is faster than the wake
  await settle();
  t.strictSame([has, tries], [false, 1]);
  c!.release(0);
  await settle();
  t.strictSame([has, tries], [true, 2]);
});
