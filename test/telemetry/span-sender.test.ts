import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { IdSource } from '../../lib/core/ids.ts';
import type { Order, Report, SpanRecord } from '../../lib/orders/messages.ts';
import { SpanSender } from '../../lib/telemetry/span-sender.ts';
import { SamplingTracer } from '../../lib/telemetry/tracer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { requestRecord } from '../support/records.ts';

type Spans = Extract<Report, { kind: 'spans' }>;

function setUp(connected = true) {
  const clock = new FakeClock();
  const sent: Spans[] = [];
  let dropped = 0;
  const sender = new SpanSender(
    clock,
    {
      add(counter, amount) {
        if (counter === 'spansDropped') dropped += amount;
      },
    },
    { batchSize: 4, flushMs: 200, maxUnacknowledged: 2 },
  );
  if (connected) sender.connect(report => sent.push(report as Spans));
  const push = (count: number): void => {
    for (let i = 0; i < count; i += 1) sender.push({ name: `${i}` } as SpanRecord);
  };
  return { clock, sent, sender, push, dropped: () => dropped };
}

t.test('a full batch goes at once, an incomplete one after 200 ms', async t => {
  const { clock, sent, push } = setUp();
  push(5);
  t.same(
    sent.map(({ sequence, spans }) => [sequence, spans.length]),
    [[1, 4]],
  );
  clock.advance(199);
  t.equal(sent.length, 1);
  clock.advance(1);
  t.same(
    sent.map(({ sequence, spans }) => [sequence, spans.length]),
    [
      [1, 4],
      [2, 1],
    ],
  );
  clock.advance(10_000);
  t.equal(sent.length, 2);
});

t.test('without acknowledgement memory is bounded and the rest is dropped and counted', async t => {
  const { clock, sent, push, sender, dropped } = setUp();
  push(100);
  t.equal(sent.length, 2, 'two batches may be unacknowledged');
  t.equal(dropped(), 100 - 8 - 4, 'one more waits');
  clock.advance(1_000);
  t.equal(sent.length, 2);
  sender.acknowledge(1);
  t.equal(sent.length, 3, 'the acknowledgement lets the waiting one go');
  t.equal(sent[2]!.dropped, 88, 'and the loss is told');
  sender.acknowledge(3);
  push(4);
  t.equal(sent[3]!.dropped, 0);
  sender.acknowledge(99);
  sender.acknowledge(0);
  push(8);
  t.equal(sent.length, 5, 'acknowledgements of what was never sent are ignored');
});

t.test('spans wait for a control thread, and go on with the next one', async t => {
  const { clock, sent, push, sender, dropped } = setUp(false);
  push(6);
  clock.advance(1_000);
  t.equal(dropped(), 2);
  sender.connect(report => sent.push(report as Spans));
  clock.advance(200);
  t.equal(sent.length, 1);
  push(4);
  t.equal(sent.length, 2);
  push(4);
  t.equal(sent.length, 2);
  const second: Spans[] = [];
  sender.connect(report => second.push(report as Spans));
  clock.advance(200);
  t.equal(second.length, 1, 'the old thread’s debts are forgotten');
});

t.test('disposing sends what waits and leaves no timer', async t => {
  const { clock, sent, push, sender } = setUp();
  push(2);
  sender[Symbol.dispose]();
  t.equal(sent[0]!.spans.length, 2);
  t.equal(clock.pending, 0);
  push(10);
  t.equal(sent.length, 1);
});

t.test('spans survive the way through a real port', async t => {
  const { port1, port2 } = new MessageChannel();
  const clock = new FakeClock();
  const sender = new SpanSender(clock, { add() {} });
  sender.connect(report => port1.postMessage(report));
  const acknowledged = new Promise<void>(resolve => {
    port1.on('message', (order: Order) => {
      if (order.kind === 'ack') sender.acknowledge(order.upTo);
      resolve();
    });
  });
  const tracer = new SamplingTracer(new IdSource(), span => sender.push(span), {
    recording: true,
    sample: 1,
  });
  const context = tracer.begin([]);
  context.requestEnded(requestRecord());
  const arrived = new Promise<Spans>(resolve => {
    port2.on('message', (report: Spans) => {
      port2.postMessage({ kind: 'ack', upTo: report.sequence } satisfies Order);
      resolve(report);
    });
  });
  clock.advance(200);
  t.match(await arrived, { kind: 'spans', sequence: 1, spans: [{ spanId: context.spanId }], dropped: 0 });
  await acknowledged;
  port1.close();
});
