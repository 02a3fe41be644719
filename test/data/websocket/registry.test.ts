// The live tunnels of a worker: listed, and ended at a pace that a new word can change or call off.

import t from 'tap';
import type { LiveTunnel, TunnelEnd } from '../../../lib/data/websocket/live-tunnel.ts';
import { EndNotice } from '../../../lib/data/websocket/live-tunnel.ts';
import { TunnelRegistry } from '../../../lib/data/websocket/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';

class OneTunnel implements LiveTunnel {
  readonly bytesIn = 7;
  readonly bytesOut = 9;
  endedWith = 0;
  readonly #notice = new EndNotice();

  end(code: number): void {
    this.endedWith = code;
  }

  destroy(): void {
    this.close();
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#notice.add(listener);
  }

  close(): void {
    this.#notice.tell({ kind: 'closed', detail: '' });
  }
}

function fill(registry: TunnelRegistry, slot: number, count: number): OneTunnel[] {
  return Array.from({ length: count }, () => {
    const tunnel = new OneTunnel();
    registry.add(tunnel, { client: '192.0.2.1', route: 'r', cluster: 'c', backend: `b${slot}`, slot });
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
    { slots: [1], perSecond: 10 },
    { slots: [2], perSecond: 40 },
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
  registry.endSlots([{ slots: [1], perSecond: 10 }]);
  clock.advance(500);
  registry.endSlots([]);
  const then = ended(tunnels);
  clock.advance(5000);
  t.equal(ended(tunnels), then);
  t.ok(then > 0 && then < 20);
});

t.test('saying the same again every quarter of a second changes no pace', async t => {
  const clock = new FakeClock();
  const registry = new TunnelRegistry(clock, 0);
  const tunnels = fill(registry, 1, 100);
  for (let i = 0; i < 8; i++) {
    registry.endSlots([{ slots: [1], perSecond: 10 }]);
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
