// Who waits, who is served first, who is let go: the line of a cluster, with time as an argument.

import t from 'tap';
import type { ShedReason } from '../../../lib/core/priority.ts';
import {
  ANY_BACKEND,
  type LineOptions,
  PASSED_OVER,
  type Ticket,
  type Waiter,
  WaitingLine,
} from '../../../lib/plan/overload/line.ts';

const [LOW, NORMAL, HIGH] = [0, 1, 2];
const OPTIONS: LineOptions = { capacity: 10, order: 'adaptive', targetMs: 20, intervalMs: 100 };

/** Backends with so many places; who is served or shed is noted. */
class World {
  readonly line: WaitingLine;
  readonly free = new Map<number, number>();
  readonly served: string[] = [];
  readonly shed: (readonly [name: string, reason: ShedReason])[] = [];
  tries = 0;

  constructor(options: Partial<LineOptions> = {}) {
    this.line = new WaitingLine({ ...OPTIONS, ...options });
  }

  wait(
    name: string,
    more: { waitsFor?: number | null; priority?: number; atMs?: number } = {},
  ): Ticket | null {
    const { waitsFor = ANY_BACKEND, priority = NORMAL, atMs = 0 } = more;
    const waiter: Waiter = {
      priority,
      waitsFor,
      wake: () => {
        this.tries += 1;
        const slots = waitsFor === null || waitsFor === ANY_BACKEND ? [...this.free.keys()] : [waitsFor];
        const slot = slots.find(one => (this.free.get(one) ?? 0) > 0);
        if (slot === undefined) return false;
        this.free.set(slot, this.free.get(slot)! - 1);
        this.served.push(name);
        return true;
      },
      shed: reason => this.shed.push([name, reason]),
    };
    return this.line.join(waiter, atMs);
  }

  /** So many places fall free. */
  release(count: number, atMs = 0): void {
    this.free.set(0, count);
    this.line.wake(atMs);
  }

  /** In overload: not empty for an interval, while eight were served. Two are left, `old 8` and `old 9`. */
  overloaded(): void {
    for (let i = 0; i < 10; i++) this.wait(`old ${i}`);
    this.release(8, 50);
    this.served.length = 0;
  }
}

t.test('while calm: first in, first out', async t => {
  const world = new World();
  for (const name of ['a', 'b', 'c']) world.wait(name);
  world.release(2);
  t.same(world.served, ['a', 'b']);
  t.equal(world.line.length, 1);
});

t.test('one that waits for a full backend holds nobody up who can go elsewhere', async t => {
  const world = new World();
  world.wait('leased to 1', { waitsFor: 1 });
  world.wait('any');
  world.release(1);
  t.same(world.served, ['any']);
});

t.test('a release costs one try for each kind of wait, however long the line', async t => {
  const world = new World();
  for (let i = 0; i < 4; i++) world.wait(`any ${i}`);
  for (let i = 0; i < 4; i++) world.wait(`leased ${i}`, { waitsFor: 1 });
  world.wait('like nobody', { waitsFor: null });
  world.wait('like nobody else', { waitsFor: null });
  world.line.wake(0);
  t.equal(world.tries, 4);
});

t.test('the line is bounded, and who leaves makes room', async t => {
  const world = new World({ capacity: 1 });
  const first = world.wait('first')!;
  t.equal(world.wait('second'), null);
  world.line.leave(first);
  world.line.leave(first);
  t.equal(world.line.length, 0, 'leaving twice is leaving once');
  t.not(world.wait('third'), null);
});

t.test('in overload the newest goes first, and who waited longer than the target is let go', async t => {
  const world = new World();
  world.overloaded();
  t.notOk(world.line.standing(99), 'not yet');
  t.ok(world.line.standing(100));
  world.wait('new 0', { atMs: 100 });
  world.wait('new 1', { atMs: 101 });
  world.release(1, 102);
  t.same(world.served, ['new 1']);
  t.same(world.shed, [
    ['old 8', 'late'],
    ['old 9', 'late'],
  ]);
  t.equal(world.line.length, 1);
  world.line.wake(1000);
  t.equal(world.line.length, 1, 'the last stays for the next place');
});

t.test('late is only who was passed over: four others were served since it came', async t => {
  const world = new World();
  world.overloaded();
  for (let i = 0; i < 3; i++) world.wait(`new ${i}`, { atMs: 100 + i });
  world.shed.length = 0;
  world.release(1, 200);
  t.same(world.served, ['new 2']);
  t.same(world.shed, [], 'old by now, but only one was served');
});

t.test('a newcomer takes a place at once in overload, and behind the others while calm', async t => {
  const calm = new World();
  calm.wait('waits');
  t.notOk(calm.line.mayOvertake(NORMAL, 5));
  const over = new World();
  over.overloaded();
  t.ok(over.line.mayOvertake(NORMAL, 100));
  over.wait('important', { priority: HIGH, atMs: 100 });
  t.notOk(over.line.mayOvertake(NORMAL, 101), 'not before a higher priority');
  t.ok(over.line.mayOvertake(HIGH, 101));
});

t.test('a stall is no overload: whoever waits while nothing falls free keeps his turn', async t => {
  const world = new World();
  for (let i = 0; i < 5; i++) world.wait(`${i}`, { atMs: i });
  world.wait('much later', { atMs: 5000 });
  t.same(world.shed, []);
  world.release(6, 5001);
  t.same(world.served, ['0', '1', '2', '3', '4', 'much later']);
});

t.test('once empty, the line is calm again', async t => {
  const world = new World();
  world.overloaded();
  world.release(2, 150);
  t.equal(world.line.length, 0);
  world.wait('a', { atMs: 200 });
  world.wait('b', { atMs: 201 });
  world.release(1, 290);
  t.equal(world.served.at(-1), 'a');
});

t.test('fifo and lifo stay what they are, and let nobody go early', async t => {
  for (const [order, first] of [
    ['fifo', 'old 8'],
    ['lifo', 'new'],
  ] as const) {
    const world = new World({ order });
    if (order === 'fifo') world.overloaded();
    else world.wait('old');
    world.wait('new', { atMs: 500 });
    world.release(1, 600);
    t.same(world.served, [first], order);
    t.same(world.shed, []);
  }
});

t.test('higher priorities first; a lower one is passed over so many times and no more', async t => {
  const world = new World({ capacity: 100 });
  world.wait('low', { priority: LOW });
  for (let i = 0; i < 40; i++) world.wait(`high ${i}`, { priority: HIGH });
  for (let i = 0; i < 40; i++) world.release(1);
  t.equal(world.served[0], 'high 0');
  t.equal(world.served.indexOf('low'), PASSED_OVER, 'then it has its turn');
  const all = new World({ capacity: 100 });
  all.wait('low', { priority: LOW });
  for (let i = 0; i < 40; i++) all.wait(`high ${i}`, { priority: HIGH });
  all.release(41);
  t.equal(all.served.length, 41, 'in one pass too, with no place left unused');
  t.equal(all.served.indexOf('low'), PASSED_OVER);
});

t.test('a full line: the lowest gives way to a higher, and nobody to his like while calm', async t => {
  const world = new World({ capacity: 3 });
  world.wait('low 0', { priority: LOW });
  world.wait('low 1', { priority: LOW });
  world.wait('high', { priority: HIGH });
  t.not(world.wait('normal'), null);
  t.same(world.shed, [['low 1', 'displaced']], 'who was to be served last');
  t.equal(world.wait('low 2', { priority: LOW }), null);
  t.not(world.wait('normal 2'), null);
  t.equal(world.wait('normal 3'), null);
  t.equal(world.line.length, 3);
});

t.test('a full line in overload: the oldest gives way to a newer one', async t => {
  const world = new World({ capacity: 10, targetMs: 10_000 });
  world.overloaded();
  for (let i = 0; i < 8; i++) world.wait(`new ${i}`, { atMs: 100 });
  t.not(world.wait('newest', { atMs: 101 }), null);
  t.same(world.shed, [['old 8', 'displaced']]);
  t.equal(world.line.length, 10);
});

t.test('Retry-After: one second at least, longer the longer it lasts, spread by chance, bounded', async t => {
  const world = new World();
  t.equal(world.line.retryAfterS(0, 0), 1);
  t.equal(world.line.retryAfterS(0, 0.99), 1);
  world.overloaded();
  t.equal(world.line.retryAfterS(100, 0.5), 1);
  t.equal(world.line.retryAfterS(5_000, 0), 5);
  t.equal(world.line.retryAfterS(5_000, 0.999), 10);
  t.equal(world.line.retryAfterS(1e9, 0), 30);
  t.ok(world.line.retryAfterS(1e9, 0.999) <= 60);
});
