import t from 'tap';
import { seededRandom } from '../../lib/core/random.ts';
import { attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { releaseRow } from '../../lib/scoreboard/supervise.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp({ workers = 2, tokenBuckets = 1024, clientCells = 1024, nowMs = 5000 } = {}) {
  const clock = new FakeClock(0, nowMs);
  const board = createScoreboard({ workers, slots: 1, tokenBuckets, clientCells });
  const clients = Array.from(
    { length: workers },
    (_, row) => attachWorker(board, row, clock, seededRandom(row)).clients,
  );
  return { clock, board, clients, one: clients[0]!, other: clients[1]! };
}

t.test('a bucket gives a burst, then its rate, to all workers together', async t => {
  const { clock, one, other } = setUp();
  for (let i = 0; i < 5; i++) t.equal((i % 2 === 0 ? one : other).takeToken(7, 10, 5), 0);
  t.equal(other.takeToken(7, 10, 5), 100, 'the next token is 100 ms away');
  t.equal(one.takeToken(8, 10, 5), 0, 'another client has a bucket of its own');
  clock.advance(60);
  t.equal(one.takeToken(7, 10, 5), 40);
  clock.advance(40);
  t.equal(one.takeToken(7, 10, 5), 0);
  t.ok(other.takeToken(7, 10, 5) > 0);
  clock.advance(60_000);
  for (let i = 0; i < 5; i++) t.equal(one.takeToken(7, 10, 5), 0, 'full again, and not more than full');
  t.ok(one.takeToken(7, 10, 5) > 0);
});

t.test('a rate is kept over time, whole in units or not, slow or fast', async t => {
  for (const rate of [0.5, 3, 7, 333, 3000, 20_000]) {
    const { clock, one } = setUp();
    let taken = 0;
    for (let i = 0; i < 20; i++) if (one.takeToken(1, rate, 20) === 0) taken += 1;
    t.equal(taken, 20, `${rate}/s: the whole burst`);
    const stepMs = Math.min(100, 5000 / rate);
    const seconds = 2000 / rate + 10 * (stepMs / 1000);
    for (let ms = 0; ms < seconds * 1000; ms += stepMs) {
      clock.advance(stepMs);
      while (one.takeToken(1, rate, 20) === 0) taken += 1;
    }
    const wanted = 20 + rate * seconds;
    t.ok(Math.abs(taken - wanted) < 0.02 * wanted + 2, `${rate}/s: ${taken} of ${wanted}`);
  }
});

t.test('a refusal says at least one millisecond, and waiting that long is enough', async t => {
  for (const rate of [1, 9, 1000, 5000]) {
    const { clock, one } = setUp();
    for (let n = 0; n < 300; n++) {
      const waitMs = one.takeToken(3, rate, 2);
      if (waitMs === 0) continue;
      t.ok(waitMs >= 1);
      clock.advance(waitMs);
      t.equal(one.takeToken(3, rate, 2), 0);
    }
  }
});

t.test('buckets survive the wrap of their time, and a long silence fills them', async t => {
  const wrapMs = 2 ** 32 / 32;
  const { clock, one } = setUp({ nowMs: wrapMs - 50 });
  for (let i = 0; i < 3; i++) t.equal(one.takeToken(1, 10, 3), 0);
  clock.advance(99);
  t.equal(one.takeToken(1, 10, 3), 1);
  clock.advance(1);
  t.equal(one.takeToken(1, 10, 3), 0);
  for (const hours of [20, 30, 100]) {
    clock.advance(hours * 3_600_000);
    for (let i = 0; i < 3; i++) t.equal(one.takeToken(1, 10, 3), 0, `after ${hours} h`);
    t.ok(one.takeToken(1, 10, 3) > 0);
  }
});

t.test('a full table forgets who owes least, never refuses a newcomer, and keeps who owes most', async t => {
  const { clock, one } = setUp({ tokenBuckets: 64 });
  const debtor = 5;
  while (one.takeToken(debtor, 1, 1000) === 0); // owes a thousand seconds
  for (let key = 100; key < 2000; key++) {
    if (one.takeToken(key, 1, 10) !== 0) t.fail(`newcomer ${key} was refused`);
    clock.advance(1);
  }
  const again = Array.from({ length: 4 }, () => one.takeToken(debtor, 1, 1000));
  t.ok(again.at(-1)! > 0, 'in two seconds it earned a token or two, the rest it still owes');
});

t.test('connections are bounded by listener and by client, over all workers', async t => {
  const { one, other } = setUp();
  t.equal(one.enter(0, 1, 4, 2), true);
  t.equal(other.enter(0, 1, 4, 2), true);
  t.equal(one.enter(0, 1, 4, 2), false, 'the client has two');
  t.equal(other.enter(1, 1, 4, 2), true, 'listeners count apart');
  t.equal(one.enter(0, 2, 4, 2), true);
  t.equal(one.enter(0, 3, 4, 2), true);
  t.equal(other.enter(0, 4, 4, 2), false, 'the listener has four');
  other.leave(0, 1);
  t.equal(other.enter(0, 4, 4, 2), true);
  t.equal(one.enter(0, 5, 4, 2), false);
  t.equal(one.enter(0, 5, 5, 2), true, 'a refusal left nothing behind');
});

t.test('a dead worker’s connections are gone with it, the others’ stay', async t => {
  const { board, one, other } = setUp();
  one.enter(0, 1, 3, 2);
  other.enter(0, 1, 3, 2);
  other.enter(0, 2, 3, 2);
  releaseRow(board, 1);
  t.equal(one.enter(0, 1, 3, 2), true);
  t.equal(one.enter(0, 1, 3, 2), false);
  t.equal(one.enter(0, 2, 3, 2), true);
  t.equal(one.enter(0, 3, 3, 2), false);
});

t.test('counts by client behave as a plain map does, also when the table is crowded (seeded)', async t => {
  const random = seededRandom(11);
  const { clients } = setUp({ clientCells: 64 });
  const held: [worker: number, client: number][] = [];
  const counts = new Map<number, number>();
  let refused = 0;
  for (let turn = 0; turn < 50_000; turn++) {
    if (held.length > 0 && random.next() < 0.5) {
      const [[worker, client]] = held.splice(Math.floor(random.next() * held.length), 1) as [
        [number, number],
      ];
      clients[worker]!.leave(0, client);
      counts.set(client, counts.get(client)! - 1);
      continue;
    }
    const worker = turn % 2;
    const client = Math.floor(random.next() * 1000);
    const room = held.length < 40 && (counts.get(client) ?? 0) < 2;
    if (clients[worker]!.enter(0, client, 40, 2) !== room) t.fail(`turn ${turn}: client ${client}`);
    if (room) {
      held.push([worker, client]);
      counts.set(client, (counts.get(client) ?? 0) + 1);
    } else refused += 1;
  }
  t.ok(refused > 100);
  for (const [worker, client] of held) clients[worker]!.leave(0, client);
  for (let n = 0; n < 40; n++) if (!clients[0]!.enter(0, 7, 40, 40)) t.fail('something was left');
});

t.test('a table with no room left admits uncounted rather than refusing strangers', async t => {
  const { one } = setUp({ clientCells: 64 });
  let admitted = 0;
  for (let client = 0; client < 200; client++) if (one.enter(0, client, 1000, 1)) admitted += 1;
  t.equal(admitted, 200);
  for (let client = 0; client < 200; client++) one.leave(0, client);
  t.equal(one.enter(0, 1, 1, 1), true, 'the listener’s count is exact all the same');
  t.equal(one.enter(0, 2, 1, 1), false);
});
