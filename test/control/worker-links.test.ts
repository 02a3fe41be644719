// The control plane's lines to the workers, over real message ports.

import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { WorkerLinks } from '../../lib/control/worker-links.ts';
import type {
  ConnectionReport,
  Order,
  Report,
  SpanRecord,
  TunnelActivity,
  TunnelMoved,
} from '../../lib/orders/messages.ts';
import type { Snapshot } from '../../lib/orders/snapshot.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface Line {
  readonly orders: Order[];
  readonly far: MessagePort;
  next(kind: Order['kind']): Promise<Order>;
}

function join(t: Test, links: WorkerLinks, row: number): Line {
  const { port1, port2 } = new MessageChannel();
  links.add(row, port1);
  const orders: Order[] = [];
  port2.on('message', order => orders.push(order));
  t.teardown(() => {
    port2.close();
    links.remove(row);
  });
  return {
    orders,
    far: port2,
    async next(kind) {
      for (;;) {
        const found = orders.find(order => order.kind === kind);
        if (found !== undefined) return found;
        await once(port2, 'message');
      }
    },
  };
}

const snapshot = (generation: number): Snapshot => ({ generation }) as Snapshot;
const connection = (id: string): ConnectionReport => ({ id }) as ConnectionReport;
const say = (line: Line, report: Report): void => line.far.postMessage(report);

t.test('a worker that joins late gets the snapshot in force', async t => {
  const links = new WorkerLinks(new FakeClock(), { spans() {} });
  const first = join(t, links, 0);
  links.publish(snapshot(7));
  t.match(await first.next('snapshot'), { snapshot: { generation: 7 } });
  t.match(await join(t, links, 1).next('snapshot'), { snapshot: { generation: 7 } });
});

t.test('a question to all workers is answered as one', async t => {
  const links = new WorkerLinks(new FakeClock(), { spans() {} });
  const lines = [join(t, links, 0), join(t, links, 1)];
  const answer = links.connections(10);
  for (const [i, line] of lines.entries()) {
    const order = await line.next('list-connections');
    const requestId = order.kind === 'list-connections' ? order.requestId : -1;
    say(line, { kind: 'connections', requestId, total: 3, items: [connection(`${i}-1`)] });
  }
  const { total, items } = await answer;
  t.equal(total, 6);
  t.same(items.map(({ id }) => id).sort(), ['0-1', '1-1']);
});

t.test('a worker that dies or hangs does not hang the answer', async t => {
  const clock = new FakeClock();
  const links = new WorkerLinks(clock, { spans() {} });
  join(t, links, 0);
  join(t, links, 1);
  const answer = links.connections(10);
  links.remove(0);
  clock.advance(2000);
  t.same(await answer, { total: 0, items: [] });
  t.equal(clock.pending, 0);
});

t.test('spans are handed on and acknowledged', async t => {
  const got: SpanRecord[] = [];
  const links = new WorkerLinks(new FakeClock(), { spans: spans => void got.push(...spans) });
  const line = join(t, links, 0);
  say(line, { kind: 'spans', sequence: 4, spans: [{ name: 'GET /' } as SpanRecord], dropped: 0 });
  t.match(await line.next('ack'), { upTo: 4 });
  t.equal(got[0]!.name, 'GET /');
});

t.test('the pace of ending tunnels is shared among the workers, and no ending is told once', async t => {
  const links = new WorkerLinks(new FakeClock(), { spans() {} });
  const lines = [join(t, links, 0), join(t, links, 1)];
  links.endTunnels([]);
  links.endTunnels([{ slots: [3], spared: [], perSecond: 10 }]);
  links.endTunnels([]);
  links.endTunnels([]);
  links.publish(snapshot(1));
  await Promise.all(lines.map(line => line.next('snapshot')));
  for (const { orders } of lines)
    t.same(
      orders.filter(({ kind }) => kind === 'end-tunnels'),
      [
        { kind: 'end-tunnels', endings: [{ slots: [3], spared: [], perSecond: 5 }] },
        { kind: 'end-tunnels', endings: [] },
      ],
    );
});

t.test(
  'one worker is asked to explain; a silent one is not waited for long, a dead one not at all',
  async t => {
    const clock = new FakeClock();
    const links = new WorkerLinks(clock, { spans() {} });
    const line = join(t, links, 1);
    const question = { cluster: 'web', key: 'k' };
    const answered = links.explain(1, question);
    const order = await line.next('explain');
    t.match(order, { question });
    const requestId = order.kind === 'explain' ? order.requestId : -1;
    say(line, { kind: 'explained', requestId, explained: null });
    t.equal(await answered, null);
    const silent = links.explain(1, question);
    await clock.pass(2_000);
    t.equal(await silent, undefined);
    const dying = links.explain(1, question);
    links.remove(1);
    t.equal(await dying, undefined);
    t.equal(await links.explain(1, question), undefined, 'nobody there');
  },
);

t.test('a move is ordered of the worker that has the connection, and answered when it is over', async t => {
  const moved: TunnelMoved[] = [];
  const batches: TunnelActivity[] = [];
  const clock = new FakeClock();
  const links = new WorkerLinks(clock, {
    spans() {},
    moved: (_row, moves) => void moved.push(...moves),
    activity: (_row, activity) => void batches.push(activity),
  });
  links.watchTunnels(500);
  const line = join(t, links, 1);
  t.match(await line.next('watch-tunnels'), { everyMs: 500 });
  const order = { id: '1-7', to: 'b2', reason: 'test' };
  const move = (id: string): Promise<TunnelMoved> | undefined =>
    links.moved(id, row => {
      links.moveTunnels(row, [{ ...order, id }]);
      return '';
    });
  t.equal(move('0-7'), undefined, 'no such worker');
  t.match(await links.moved('1-7', () => 'it stays'), { result: 'failed', reason: 'it stays' });
  const answer = move('1-7');
  t.match(await move('1-7'), { result: 'failed', reason: 'it is being moved already' });
  t.match(await line.next('move-tunnels'), { moves: [order] });
  const result = { ...order, from: 'b1', result: 'moved', holdMs: 1 } as const;
  say(line, { kind: 'tunnels-moved', moves: [result, { ...result, id: '1-8' }] });
  t.same(await answer, result);
  t.equal(moved.length, 2, 'those that nobody asked for are heard of too');
  const lost = move('1-7');
  links.remove(1);
  t.match(await lost, { result: 'failed', reason: 'its worker is gone' });
  t.equal(clock.pending, 0);
});
