import t from 'tap';
import { seededRandom } from '../../lib/core/random.ts';
import { Ring } from '../../lib/core/ring.ts';

t.test('a ring hands out what came first, and says no when it is full', async t => {
  const ring = new Ring<string>(2);
  t.equal(ring.shift(), undefined);
  t.equal(ring.peek(), undefined);
  t.equal(ring.push('a'), true);
  t.equal(ring.push('b'), true);
  t.equal(ring.push('c'), false);
  t.equal(ring.length, 2);
  t.equal(ring.peek(), 'a');
  t.equal(ring.shift(), 'a');
  t.equal(ring.push('c'), true);
  t.equal(ring.pop(), 'c', 'the newest first when asked so');
  t.equal(ring.shift(), 'b');
  t.equal(ring.pop(), undefined);
  ring.push('d');
  ring.clear();
  t.equal(ring.length, 0);
  t.equal(ring.capacity, 2);
});

t.test('a ring needs room for at least one', async t => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) t.throws(() => new Ring(capacity), RangeError);
});

t.test('a ring behaves as an array does (seeded)', async t => {
  const random = seededRandom(7);
  const ring = new Ring<number>(5);
  const model: number[] = [];
  for (let i = 0; i < 10_000; i++) {
    const what = random.next();
    if (what < 0.5) {
      const room = model.length < 5;
      if (room) model.push(i);
      if (ring.push(i) !== room) t.fail('push');
    } else if (what < 0.8) {
      if (ring.shift() !== model.shift()) t.fail('shift');
    } else if (ring.pop() !== model.pop()) t.fail('pop');
    if (ring.length !== model.length || ring.peek() !== model[0]) t.fail('length or first');
  }
});
