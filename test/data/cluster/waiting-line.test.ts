// The line of requests that wait for a place: order, bounds, and what a release costs.

import t from 'tap';
import { ANY_BACKEND, type Waiter, WaitingLine } from '../../../lib/data/cluster/waiting-line.ts';

class One implements Waiter {
  readonly name: string;
  readonly waitsFor: number | null;
  readonly #room: (waiter: One) => boolean;
  tries = 0;

  constructor(name: string, room: (waiter: One) => boolean, waitsFor: number | null = ANY_BACKEND) {
    this.name = name;
    this.#room = room;
    this.waitsFor = waitsFor;
  }

  wake(): boolean {
    this.tries += 1;
    return this.#room(this);
  }
}

t.test('first come, first served', async t => {
  const line = new WaitingLine(10);
  const served: string[] = [];
  let places = 0;
  const room = (waiter: One): boolean => {
    if (places === 0) return false;
    places -= 1;
    served.push(waiter.name);
    return true;
  };
  for (const name of ['a', 'b', 'c']) t.ok(line.join(new One(name, room)));
  places = 2;
  line.wake();
  t.same(served, ['a', 'b']);
  places = 5;
  line.wake();
  t.same(served, ['a', 'b', 'c']);
  t.equal(line.length, 0);
});

t.test('a full line refuses; who leaves makes room', async t => {
  const line = new WaitingLine(2);
  const [a, b, c] = ['a', 'b', 'c'].map(name => new One(name, () => false));
  t.ok(line.join(a!));
  t.ok(line.join(b!));
  t.notOk(line.join(c!));
  line.leave(a!);
  t.ok(line.join(c!));
});

t.test('one that waits for a busy backend does not hold up one that waits for a free one', async t => {
  const line = new WaitingLine(10);
  const busy = new One('busy', () => false, 1);
  const free = new One('free', () => true, 2);
  line.join(busy);
  line.join(free);
  line.wake();
  t.equal(free.tries, 1);
  t.equal(line.length, 1);
});

t.test('a release with a full line costs a few tries, not one for everybody', async t => {
  const line = new WaitingLine(1000);
  const waiters = Array.from({ length: 1000 }, (_, i) => new One(String(i), () => false));
  for (const waiter of waiters) line.join(waiter);
  line.wake();
  t.equal(
    waiters.reduce((sum, waiter) => sum + waiter.tries, 0),
    1,
  );
});
