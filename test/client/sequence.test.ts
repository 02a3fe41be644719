// What one end of an envelope knows: what came, what may be lost, and when the other end cannot be believed.

import t from 'tap';
import { readFrame } from '../../lib/client/envelope-frames.ts';
import { Sequence } from '../../lib/client/sequence.ts';

const sequenceOf = (frame: ArrayBuffer | null): number => {
  const read = readFrame(new Uint8Array(frame!));
  return read?.kind === 'data' ? read.sequence : -1;
};

t.test('a message is new once', async t => {
  const end = new Sequence(1_000);
  t.equal(end.accept(1), 'new');
  t.equal(end.accept(1), 'known');
  t.equal(end.accept(3), 'gap');
  t.equal(end.accept(2), 'new');
  t.equal(end.received, 2);
});

t.test('what is not acknowledged is kept, in order, up to the bound', async t => {
  const end = new Sequence(45);
  for (const text of ['a', 'b', 'c']) t.ok(end.send(text));
  t.equal(end.send('d'), null, 'no number is given to what is not kept');
  t.ok(end.acknowledge(2));
  t.ok(end.acknowledge(1), 'an older word after a newer one');
  t.same(end.unacknowledged().map(sequenceOf), [3]);
  t.equal(end.acknowledged, 2);
  t.equal(sequenceOf(end.send('d')), 4);
  t.notOk(end.acknowledge(5), 'never sent');
  t.equal(end.keptBytes, 28);
});

t.test('goes on elsewhere where it was', async t => {
  const end = new Sequence(1_000);
  end.accept(1);
  end.send('a');
  end.send('b');
  end.acknowledge(1);
  const next = new Sequence(1_000, end.state());
  t.same(next.unacknowledged().map(sequenceOf), [2]);
  t.equal(next.accept(1), 'known');
  t.equal(sequenceOf(next.send('c')), 3);
});

t.test('numbers beyond 32 bits', async t => {
  const end = new Sequence(1_000, { received: 2 ** 40, sent: 2 ** 33 + 5, unacknowledged: [] });
  const frame = readFrame(new Uint8Array(end.send('x')!));
  t.match(frame, { sequence: 2 ** 33 + 6, received: 2 ** 40 });
});
