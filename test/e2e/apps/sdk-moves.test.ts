// WebSockets of the SDK that change their backend through the running proxy: new first, then the end of the old; every message is counted.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { envelope, LeasewaySocket, type Migrated } from '../../../lib/client/index.ts';
import { MemoryEnvelopeStore } from '../../../lib/server/index.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { SdkBackend, type SdkBackendOptions } from '../../support/sdk-backend.ts';
import { until } from '../../support/until.ts';

interface Stage {
  readonly leaseway: Leaseway;
  readonly backends: readonly SdkBackend[];
}

async function stage(t: Test, options: Partial<SdkBackendOptions> = {}, workers = 2): Promise<Stage> {
  const store = new MemoryEnvelopeStore();
  const backends = await Promise.all(
    ['b1', 'b2', 'b3'].map(id => SdkBackend.start(id, { store, ...options })),
  );
  const leaseway = await Leaseway.start({
    config: { workers, routes: [{ name: 'chat', cluster: 'web' }] },
    clusters: {
      web: {
        backends: backends.map(({ id, url }) => ({ id, url })),
        websocket: { migrate: 'sdk' },
        outlier: { consecutive_failures: 0 },
      },
    },
  });
  t.teardown(async () => {
    await leaseway[Symbol.asyncDispose]();
    for (const backend of backends) backend.kill();
  });
  return { leaseway, backends };
}

/** Numbers what it sends, keeps what it gets. */
class Client {
  readonly name: string;
  readonly socket: LeasewaySocket;
  readonly got: string[] = [];
  readonly moves: Migrated[] = [];
  readonly states: string[] = [];
  sent = 0;

  constructor(t: Test, leaseway: Leaseway, name: string, enveloped: boolean) {
    this.name = name;
    const path = `${enveloped ? 'enveloped' : 'plain'}?client=${name}`;
    const options = enveloped ? { envelope: envelope(), retryBaseMs: 20 } : {};
    this.socket = new LeasewaySocket(`ws://127.0.0.1:${leaseway.port()}/${path}`, [], options);
    this.socket.onmessage = ({ data }) => void this.got.push(String(data).replace(/^b\d /, ''));
    this.socket.addEventListener('migrated', event =>
      this.moves.push((event as CustomEvent<Migrated>).detail),
    );
    this.socket.addEventListener('state', () => this.states.push(this.socket.state));
    t.teardown(() => this.socket.close());
  }

  send(): void {
    this.socket.send(String(this.sent++));
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

async function connect(t: Test, { leaseway }: Stage, count: number, enveloped: boolean): Promise<Client[]> {
  const clients = Array.from({ length: count }, (_, i) => new Client(t, leaseway, `c${i}`, enveloped));
  await Promise.all(clients.map(({ socket }) => once(socket, 'open')));
  return clients;
}

interface Listed {
  readonly id: string;
  readonly backend: string;
  readonly movable: boolean;
}

const listed = async (leaseway: Leaseway): Promise<Listed[]> =>
  (await leaseway.admin('/v1/connections?limit=10000')).body.items;

/** How often each client is moved, by an operator, `atOnce` at a time; how that ended. */
async function moveAll(
  t: Test,
  { leaseway }: Stage,
  rounds: number,
  atOnce: number,
): Promise<Map<string, number>> {
  const results = new Map<string, number>();
  const holds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const waiting = (await listed(leaseway)).filter(({ movable }) => movable);
    const mover = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const { body } = await leaseway.admin(`/v1/connections/${one.id}/move`, 'POST', {});
        results.set(body.result, (results.get(body.result) ?? 0) + 1);
        if (body.result !== 'moved') t.comment(JSON.stringify(body));
        holds.push(body.holdMs);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, mover));
  }
  holds.sort((a, b) => a - b);
  const at = (q: number): string => (holds[Math.floor(q * (holds.length - 1))] ?? 0).toFixed(1);
  t.comment(`${holds.length} moves, held p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  return results;
}

for (const [name, options, enveloped] of [
  ['plain, co-operative backends', { lateMs: 20 }, false],
  ['plain, backends that know nothing of it', { plain: true }, false],
  ['in the envelope', {}, true],
] as const) {
  t.test(`30 clients, moved six times each under load: ${name}`, { timeout: 90_000 }, async t => {
    const on = await stage(t, options);
    const clients = await connect(t, on, 30, enveloped);
    const ticking = setInterval(() => {
      for (const client of clients) if (Math.random() < 0.7) client.send();
    }, 10);
    t.teardown(() => clearInterval(ticking));
    await on.leaseway.until(async () => (await listed(on.leaseway)).length === 30);
    const results = await moveAll(t, on, 6, 4);
    clearInterval(ticking);
    t.same([...results], [['moved', 180]]);
    await until('all is answered', () => clients.every(({ got, sent }) => got.length >= sent), 15_000);
    for (const { name, got, sent, moves, states } of clients) {
      t.same(got, numbers(sent), `${name} has every answer, once and in order`);
      const heard = on.backends.flatMap(backend => backend.heard.get(name) ?? []);
      t.same(
        heard.toSorted((a, b) => Number(a) - Number(b)),
        numbers(sent),
        `every message of ${name} was heard once`,
      );
      t.equal(moves.length, 6);
      t.ok(moves.every(({ clean }) => clean));
      t.notOk(states.includes('reconnecting'), 'nobody was disconnected');
    }
    t.comment(`${clients.reduce((sum, { sent }) => sum + sent, 0)} messages`);
  });
}
