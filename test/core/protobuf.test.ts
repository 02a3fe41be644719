// Fields on the wire: what is written is read, and what breaks off is broken, wherever it does.

import t from 'tap';
import { GrpcFrames, grpcFrame } from '../../lib/core/grpc-frames.ts';
import { BYTES, bytesField, FIXED64, VARINT, varintField, Wire } from '../../lib/core/protobuf.ts';

const NUMBERS = [1, 127, 128, 300, 2 ** 28, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];

t.test('numbers and bytes come back, exactly', async t => {
  for (const number of NUMBERS) {
    const wire = new Wire(Buffer.from(varintField(3, number)), 0, varintField(3, number).length);
    t.ok(wire.next());
    t.match(wire, { field: 3, kind: VARINT, value: number });
    t.notOk(wire.next());
    t.notOk(wire.broken);
  }
  const text = bytesField(2, Buffer.from('a'.repeat(300)));
  const wire = new Wire(text, 0, text.length);
  t.ok(wire.next());
  t.match(wire, { field: 2, kind: BYTES });
  t.equal(wire.end - wire.start, 300);
  t.same([varintField(1, 0).length, bytesField(1, []).length], [0, 0], 'what is empty is left out');
});

t.test('what breaks off is broken, and the rest of it stands', async t => {
  const double = Buffer.alloc(9);
  double[0] = (4 << 3) | FIXED64;
  double.writeDoubleLE(0.5, 1);
  const message = Buffer.concat([Buffer.from(varintField(1, 300)), double, bytesField(2, [1, 2, 3])]);
  const whole = [3, 12, 17];
  t.equal(message.length, whole.at(-1));
  for (let end = 1; end <= message.length; end++) {
    const wire = new Wire(message, 0, end);
    let fields = 0;
    while (wire.next()) fields += 1;
    t.equal(wire.broken, !whole.includes(end), `after ${end} bytes`);
    t.equal(fields, whole.filter(at => at <= end).length);
  }
});

t.test('messages are found in a stream however it is cut', async t => {
  const bytes = Buffer.concat([
    grpcFrame(Buffer.from('one')),
    grpcFrame(Buffer.alloc(0)),
    grpcFrame(Buffer.from('two')),
  ]);
  for (const size of [1, 2, 7, bytes.length]) {
    const frames = new GrpcFrames(100);
    const heard: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      t.equal(
        frames.push(bytes.subarray(at, at + size), message => heard.push(message.toString())),
        '',
      );
    t.same(heard, ['one', '', 'two'], `${size} bytes at a time`);
  }
  t.match(
    new GrpcFrames(2).push(bytes, () => {}),
    /3 bytes/,
  );
  t.match(
    new GrpcFrames(9).push(Buffer.from([1, 0, 0, 0, 0]), () => {}),
    /compressed/,
  );
});
