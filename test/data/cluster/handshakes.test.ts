// Handshakes of WebSockets that lost their backend: so many at a time at each other backend, the others in line.

import t from 'tap';
import { Handshakes } from '../../../lib/data/cluster/handshakes.ts';
import { FakeClock } from '../../support/fake-clock.ts';

t.test('thirty-two at a time at a backend; as one ends the first in line begins', async t => {
  const handshakes = new Handshakes(new FakeClock());
  const order: number[] = [];
  let most = 0;
  let underWay = 0;
  const begin = (id: number) => (): boolean => {
    if (!handshakes.hasRoom(3)) return false;
    handshakes.begin(3);
    most = Math.max(most, ++underWay);
    order.push(id);
    return true;
  };
  for (let id = 0; id < 100; id++) if (!begin(id)()) handshakes.wait(begin(id));
  t.equal(underWay, 32);
  t.equal(handshakes.waiting, 68);
  t.ok(handshakes.hasRoom(4), 'another backend has its own');
  for (let ended = 0; ended < 100; ended++) {
    underWay -= 1;
    handshakes.end(3);
  }
  t.equal(most, 32);
  t.same(
    order,
    Array.from({ length: 100 }, (_, id) => id),
  );
  t.equal(handshakes.waiting, 0);
});

t.test('who waits for something else looks again, and who gives up is not asked', async t => {
  const clock = new FakeClock();
  const handshakes = new Handshakes(clock);
  let asked = 0;
  let free = false;
  handshakes.wait(() => {
    asked += 1;
    return free;
  });
  const gone = handshakes.wait(() => t.fail('it has given up') === undefined);
  gone[Symbol.dispose]();
  clock.advance(60);
  t.equal(asked, 3);
  free = true;
  clock.advance(60);
  t.equal(asked, 4);
  t.equal(clock.pending, 0, 'no timer is left');
});
