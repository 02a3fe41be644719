import t from 'tap';
import { ANY_BACKEND, type Waiter, WaitingLine } from '../../../lib/data/cluster/waiting-line.ts';

/** Backends with so many places; who is served is noted. */
class World {
  readonly line = new WaitingLine(10);
  readonly free = new Map<number, number>();
  readonly served: string[] = [];
  tries = 0;

  wait(name: string, waitsFor: number | null): Waiter {
    const waiter: Waiter = {
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
    };
    this.line.join(waiter);
    return waiter;
  }
}

t.test('first in, first out', async t => {
  const world = new World();
  for (const name of ['a', 'b', 'c']) world.wait(name, ANY_BACKEND);
  world.free.set(0, 2);
  world.line.wake();
  t.same(world.served, ['a', 'b']);
  t.equal(world.line.length, 1);
});

t.test('one that waits for a full backend holds nobody up who can go elsewhere', async t => {
  const world = new World();
  world.wait('leased to 1', 1);
  world.wait('any', ANY_BACKEND);
  world.free.set(0, 1);
  world.line.wake();
  t.same(world.served, ['any']);
});

t.test('a release costs one try for each kind of wait, however long the line', async t => {
  const world = new World();
  for (let i = 0; i < 4; i++) world.wait(`any ${i}`, ANY_BACKEND);
  for (let i = 0; i < 4; i++) world.wait(`leased ${i}`, 1);
  world.wait('like nobody', null);
  world.wait('like nobody else', null);
  world.line.wake();
  t.equal(world.tries, 4);
});

t.test('the line is bounded, and who leaves makes room', async t => {
  const line = new WaitingLine(1);
  const waiter: Waiter = { waitsFor: ANY_BACKEND, wake: () => false };
  const other: Waiter = { waitsFor: ANY_BACKEND, wake: () => false };
  t.equal(line.join(waiter), true);
  t.equal(line.join(other), false);
  line.leave(waiter);
  t.equal(line.join(other), true);
});
