// The live tunnels of a worker: listed, and ended at a pace that a new word can change or call off.

import t from 'tap';
import type { LiveTunnel, MoveResult, TunnelEnd } from '../../../lib/data/websocket/live-tunnel.ts';
import { EndNotice } from '../../../lib/data/websocket/live-tunnel.ts';
import { TunnelRegistry } from '../../../lib/data/websocket/registry.ts';
import type { TunnelActivity, TunnelMoved } from '../../../lib/orders/messages.ts';
import { FakeClock } from '../../support/fake-clock.ts';

class OneTunnel implements LiveTunnel {
  readonly bytesIn = 7;
  readonly bytesOut = 9;
  readonly messages = 3;
  endedWith = 0;
  movable = false;
  /** Where it was told to go. */
  readonly orders: (string | null)[] = [];
  #moved: (move: MoveResult, slot: number) => void = () => {};
  readonly #notice = new EndNotice();

  end(code: number): void {
    this.endedWith = code;
  }

  destroy(): void {
    this.close();
  }

  move(to: string | null): boolean {
    if (this.movable) this.orders.push(to);
    return this.movable;
  }

  onMoved(listener: (move: MoveResult, slot: number) => void): void {
    this.#moved = listener;
  }

  /** The move that was ordered last is over. */
  arrive(result: MoveResult['result'], to = '', slot = -1): void {
    this.#moved({ result, to, holdMs: 2, why: 'because' }, slot);
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#notice.add(listener);
  }

  close(): void {
    this.#notice.tell({ kind: 'closed', detail: '' });
  }
}

function fill(registry: TunnelRegistry, slot: number, count: number, reconnects = false): OneTunnel[] {
  return Array.from({ length: count }, () => {
    const tunnel = new OneTunnel();
    const facts = {
      client: '192.0.2.1',
      route: 'r',
      cluster: 'c',
      backend: `b${slot}`,
      slot,
      reconnects,
      session: '',
    };
    registry.add(tunnel, facts);
    return tunnel;
  });
}

const ended = (tunnels: readonly OneTunnel[]): number =>
  tunnels.filter(tunnel => tunnel.endedWith === 1012).length;

t.test('lists what is open with client, backend, age and bytes', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 3);
  const [first, second] = fill(registry, 0, 2);
  clock.advance(1500);
  first!.close();
  t.same(registry.list(10), [
    {
      id: '3-2',
      protocol: 'websocket',
      client: '192.0.2.1',
      route: 'r',
      cluster: 'c',
      backend: 'b0',
      slot: 0,
      ageMs: 1500,
      movable: false,
      bytesIn: 7,
      bytesOut: 9,
    },
  ]);
  t.equal(registry.end('3-1'), false, 'gone');
  t.equal(registry.end('3-2'), true);
  t.equal(second!.endedWith, 1012);
});

t.test('ends the tunnels of a backend at its pace, and of two backends each at its own', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const [slow, fast, other] = [fill(registry, 1, 50), fill(registry, 2, 50), fill(registry, 3, 5)];
  registry.endSlots([
    { slots: [1], spared: [], perSecond: 10 },
    { slots: [2], spared: [], perSecond: 40 },
  ]);
  clock.advance(1000);
  t.ok(Math.abs(ended(slow) - 10) <= 2, `${ended(slow)} of the slow ones after a second`);
  t.ok(Math.abs(ended(fast) - 40) <= 4, `${ended(fast)} of the fast ones`);
  t.equal(ended(other), 0);
});

t.test('an ending that is not named any more stops; the rest stays', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = fill(registry, 1, 20);
  registry.endSlots([{ slots: [1], spared: [], perSecond: 10 }]);
  clock.advance(500);
  registry.endSlots([]);
  const then = ended(tunnels);
  clock.advance(5000);
  t.equal(ended(tunnels), then);
  t.ok(then > 0 && then < 20);
});

t.test('a pace is even: a few at a time, not a burst now and then', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = fill(registry, 1, 1_000);
  registry.endSlots([{ slots: [1], spared: [], perSecond: 250 }]);
  let most = 0;
  for (let ms = 0, before = ended(tunnels); ms < 2_000; ms += 1, before = ended(tunnels)) {
    clock.advance(1);
    most = Math.max(most, ended(tunnels) - before);
  }
  t.ok(most <= 5, `${most} at once`);
  t.ok(Math.abs(ended(tunnels) - 500) <= 5, `${ended(tunnels)} in two seconds`);
});

t.test('saying the same again every quarter of a second changes no pace', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = fill(registry, 1, 100);
  for (let i = 0; i < 8; i++) {
    registry.endSlots([{ slots: [1], spared: [], perSecond: 10 }]);
    clock.advance(250);
  }
  t.ok(Math.abs(ended(tunnels) - 20) <= 2, `${ended(tunnels)} in two seconds`);
});

t.test('all of them end when the process leaves, and what is left is cut', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = [...fill(registry, 1, 10), ...fill(registry, 2, 10)];
  registry.endAll(100);
  clock.advance(300);
  t.equal(ended(tunnels), 20);
  t.equal(registry.destroyAll(), 20);
  t.equal(registry.size, 0);
});

t.test('a move is ordered, told, and the tunnel counted where it is', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 2);
  const [stays, goes] = fill(registry, 1, 2);
  const told: TunnelMoved[] = [];
  registry.onMoved(moves => told.push(...moves));
  goes!.movable = true;
  const order = (id: string, to: string | null = 'b2') => registry.move([{ id, to, reason: 'test' }]);
  order('2-1');
  order('2-2');
  order('2-9');
  t.same(goes!.orders, ['b2']);
  goes!.arrive('moved', 'b2', 2);
  clock.advance(5);
  t.match(told, [
    { id: '2-1', result: 'failed', from: 'b1' },
    { id: '2-9', result: 'failed', reason: 'there is no such connection' },
    { id: '2-2', result: 'moved', from: 'b1', to: 'b2', holdMs: 2 },
  ]);
  t.match(registry.list(9), [{ backend: 'b1' }, { backend: 'b2', slot: 2, movable: true }]);
  goes!.movable = false;
  registry.endSlots([{ slots: [2], spared: [], perSecond: 100 }]);
  t.equal(goes!.endedWith, 1012, 'found under its new slot');
  t.equal(stays!.endedWith, 0);
});

t.test('orders that come together are begun evenly before the next ones come, failovers at once', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = fill(registry, 1, 60);
  for (const tunnel of tunnels) tunnel.movable = true;
  const begun = () => tunnels.reduce((sum, { orders }) => sum + orders.length, 0);
  const order = (first: number, count: number, reason: string) =>
    registry.move(Array.from({ length: count }, (_, i) => ({ id: `0-${first + i}`, to: 'b2', reason })));
  order(1, 50, 'drain');
  let most = begun();
  for (let ms = 0, before = begun(); ms < 300; ms += 10, before = begun()) {
    clock.advance(10);
    most = Math.max(most, begun() - before);
  }
  t.equal(begun(), 50);
  t.ok(most <= 5, `${most} at once`);
  order(51, 10, 'failover');
  t.equal(begun(), 60);
});

t.test('where routes have clients come again, a move is a 1012', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const [tunnel] = fill(registry, 1, 1, true);
  const told: TunnelMoved[] = [];
  registry.onMoved(moves => told.push(...moves));
  registry.move([{ id: '0-1', to: null, reason: 'test' }]);
  clock.advance(5);
  t.equal(tunnel!.endedWith, 1012);
  t.match(told, [{ id: '0-1', result: 'ended' }]);
});

t.test('a backend that leaves: who can move is moved, once, and who cannot ends', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const [stays, goes, fails] = fill(registry, 1, 3);
  goes!.movable = fails!.movable = true;
  registry.endSlots([{ slots: [1], spared: [1], perSecond: 100 }]);
  clock.advance(500);
  t.same([goes!.orders, fails!.orders], [[], []], 'the planner says when');
  t.equal(ended([stays!, goes!, fails!]), 1);
  registry.endSlots([{ slots: [1], spared: [], perSecond: 100 }]);
  clock.advance(500);
  t.same([goes!.orders, fails!.orders], [[null], [null]]);
  goes!.arrive('moved', 'b2', 2);
  fails!.arrive('failed');
  clock.advance(500);
  t.same(
    [stays, goes, fails].map(one => one!.endedWith),
    [1012, 0, 1012],
  );
});

t.test('who is told to come again is the planner’s too, until told', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const [tunnel] = fill(registry, 1, 1, true);
  registry.endSlots([{ slots: [1], spared: [1], perSecond: 100 }]);
  clock.advance(500);
  t.equal(tunnel!.endedWith, 0);
  t.same([...registry.activity().movable], [1]);
  registry.move([{ id: '0-1', to: null, reason: 'test' }]);
  t.equal(tunnel!.endedWith, 1012);
  t.same([...registry.activity().movable], [0]);
});

t.test('what every tunnel did since the time before, in columns, as often as asked', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const [first] = fill(registry, 4, 2);
  first!.movable = true;
  const batches: TunnelActivity[] = [];
  registry.watch(1000, activity => batches.push(activity));
  clock.advance(2000);
  t.same(batches[0], {
    sequences: Float64Array.of(1, 2),
    slots: Int32Array.of(4, 4),
    bytes: Float64Array.of(16, 16),
    messages: Float64Array.of(3, 3),
    ageMs: Float64Array.of(1000, 1000),
    movable: Uint8Array.of(1, 0),
  });
  t.same([...batches[1]!.bytes], [0, 0], 'nothing since');
  registry.watch(0, () => {});
  clock.advance(5000);
  t.equal(batches.length, 2);
});
