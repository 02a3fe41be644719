// Frame boundaries: found in any stream of frames however it is cut, and given up where there are none.

import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { closeFrame, FrameTracker, maskedCloseFrame } from '../../../lib/data/websocket/frames.ts';

const MASK = [1, 2, 3, 4];

function frame(payloadBytes: number, masked: boolean, first = 0x82): Uint8Array {
  const mask = masked ? 0x80 : 0;
  const header =
    payloadBytes < 126
      ? [first, mask | payloadBytes]
      : payloadBytes < 65_536
        ? [first, mask | 126, payloadBytes >> 8, payloadBytes & 255]
        : [
            first,
            mask | 127,
            0,
            0,
            0,
            0,
            0,
            payloadBytes >> 16,
            (payloadBytes >> 8) & 255,
            payloadBytes & 255,
          ];
  const full = [...header, ...(masked ? MASK : [])];
  const bytes = new Uint8Array(full.length + payloadBytes).fill(0xff);
  bytes.set(full);
  return bytes;
}

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 10 }),
  fc.constantFrom(125, 126, 127, 65_535, 65_536),
  fc.integer({ min: 0, max: 70_000 }),
);

t.test('a stream is at a boundary exactly where a frame ends, wherever the chunks are cut', async test => {
  const property = fc.property(
    fc.array(sizes, { minLength: 1, maxLength: 6 }),
    fc.boolean(),
    fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
    (payloads, masked, cuts) => {
      const frames = payloads.map(size => frame(size, masked));
      const stream = Buffer.concat(frames);
      const ends = new Set<number>([0]);
      let total = 0;
      for (const one of frames) {
        total += one.length;
        ends.add(total);
      }
      const tracker = new FrameTracker(masked);
      let at = 0;
      for (let i = 0; at < stream.length; i++) {
        // Small steps around the start of each frame, where headers are split.
        const near = [...ends].some(end => at >= end - 2 && at < end + 14);
        const step = near ? 1 : cuts[i % cuts.length]!;
        const stop = Math.min(at + step, stream.length);
        tracker.feed(stream.subarray(at, stop));
        at = stop;
        if (tracker.lost || tracker.atBoundary !== ends.has(at)) return false;
      }
      return true;
    },
  );
  fc.assert(property, { numRuns: 150 });
  test.pass('held for 150 streams');
});

t.test('feedToBoundary takes exactly the rest of the frame under way', async test => {
  const tracker = new FrameTracker(false);
  const first = frame(300, false);
  const second = frame(5, false);
  tracker.feed(first.subarray(0, 3));
  test.notOk(tracker.atBoundary);
  const rest = Buffer.concat([first.subarray(3), second]);
  test.equal(tracker.feedToBoundary(rest), first.length - 3);
  test.ok(tracker.atBoundary);
  test.equal(tracker.feedToBoundary(second), 0);
});

t.test('feedToBoundary takes all of a chunk in which the frame does not end', async test => {
  const tracker = new FrameTracker(true);
  const whole = frame(1000, true);
  tracker.feed(whole.subarray(0, 10));
  test.equal(tracker.feedToBoundary(whole.subarray(10, 500)), 490);
  test.notOk(tracker.atBoundary);
});

t.test('what cannot be WebSocket is lost for good', async test => {
  const cases: readonly (readonly [string, readonly number[], boolean])[] = [
    ['a reserved opcode', [0x83, 0], false],
    ['a reserved control opcode', [0x8b, 0], false],
    ['a fragmented ping', [0x09, 0], false],
    ['a control frame with a long payload', [0x89, 126, 0, 200], false],
    ['a reserved bit', [0xa2, 0], false],
    ['a masked frame from a server', [0x82, 0x80, 1, 2, 3, 4], false],
    ['an unmasked frame from a client', [0x82, 1, 65], true],
    ['a length of 2^63', [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], false],
    ['another protocol', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')], true],
  ];
  for (const [what, bytes, masked] of cases) {
    for (const whole of [true, false]) {
      const tracker = new FrameTracker(masked);
      if (whole) tracker.feed(Uint8Array.from(bytes));
      else for (const byte of bytes) tracker.feed(Uint8Array.of(byte));
      test.ok(tracker.lost, what);
      test.notOk(tracker.atBoundary, what);
      tracker.feed(frame(1, masked));
      test.notOk(tracker.atBoundary, what);
    }
  }
});

t.test('compressed messages, fragments and pings are frames like any other', async test => {
  const tracker = new FrameTracker(false);
  for (const first of [0xc2, 0x41, 0x00, 0x80, 0x89, 0x8a, 0x88]) {
    tracker.feed(frame(10, false, first));
    test.ok(tracker.atBoundary, first.toString(16));
  }
});

t.test('Close frames carry their code, masked on the way to a server', async test => {
  test.same([...closeFrame(1012)], [0x88, 2, 0x03, 0xf4]);
  const masked = maskedCloseFrame(1012, seededRandom(1));
  test.equal(masked.length, 8);
  test.equal(masked[1], 0x82);
  const code = ((masked[6]! ^ masked[2]!) << 8) | (masked[7]! ^ masked[3]!);
  test.equal(code, 1012);
  const tracker = new FrameTracker(true);
  tracker.feed(masked);
  test.ok(tracker.atBoundary);
});
