// leaseway with backends for the SDK, and clients that number what they send: for tests of moves, failures and roll-outs.

import { once } from 'node:events';
import type { Test } from 'tap';
import { envelope, LeasewaySocket, type Migrated } from '../../lib/client/index.ts';
import { MemoryEnvelopeStore } from '../../lib/server/index.ts';
import { type Listed, listed as listedBy } from './chat-stage.ts';
import { Leaseway, type LeasewayOptions } from './leaseway.ts';
import { SdkBackend, type SdkBackendOptions } from './sdk-backend.ts';
import { Tally } from './tally.ts';
import { until } from './until.ts';

export interface SdkStage {
  readonly leaseway: Leaseway;
  readonly backends: readonly SdkBackend[];
}

export interface SdkStageOptions extends Partial<SdkBackendOptions>, Pick<LeasewayOptions, 'hooked'> {
  /** Of the cluster. */
  readonly cluster?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
}

/** Three backends b1 to b3 behind two workers. */
export async function sdkStage(
  t: Test,
  { cluster, config, hooked, ...options }: SdkStageOptions = {},
): Promise<SdkStage> {
  const store = new MemoryEnvelopeStore();
  const backends = await Promise.all(
    ['b1', 'b2', 'b3'].map(id => SdkBackend.start(id, { store, ...options })),
  );
  const leaseway = await Leaseway.start({
    ...(hooked && { hooked }),
    config: { workers: 2, routes: [{ name: 'chat', cluster: 'web' }], ...config },
    clusters: {
      web: {
        backends: backends.map(({ id, url }) => ({ id, url })),
        websocket: { migrate: 'sdk' },
        outlier: { consecutive_failures: 0 },
        ...cluster,
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
export class SdkClient {
  readonly name: string;
  readonly socket: LeasewaySocket;
  readonly got: string[] = [];
  readonly moves: Migrated[] = [];
  readonly states: string[] = [];
  sent = 0;

  constructor(leaseway: Leaseway, name: string, enveloped: boolean) {
    this.name = name;
    const url = `ws://127.0.0.1:${leaseway.port()}/${enveloped ? 'enveloped' : 'plain'}?client=${name}`;
    this.socket = new LeasewaySocket(url, [], enveloped ? { envelope: envelope() } : {});
    this.socket.onmessage = ({ data }) => void this.got.push(String(data).replace(/^b\d /, ''));
    this.socket.addEventListener('migrated', event =>
      this.moves.push((event as CustomEvent<Migrated>).detail),
    );
    this.socket.addEventListener('state', () => this.states.push(this.socket.state));
  }

  send(): void {
    this.socket.send(String(this.sent++));
  }

  /** Times it was without a connection. */
  get disconnects(): number {
    return this.states.filter(state => state === 'reconnecting').length;
  }
}

export async function sdkClients(
  t: Test,
  { leaseway }: SdkStage,
  count: number,
  enveloped: boolean,
): Promise<SdkClient[]> {
  const clients = Array.from({ length: count }, (_, i) => new SdkClient(leaseway, `c${i}`, enveloped));
  t.teardown(() => clients.map(({ socket }) => socket.close()));
  await Promise.all(clients.map(({ socket }) => once(socket, 'open')));
  return clients;
}

/** All of them send now and then until the result is disposed of. */
export function talking(t: Test, clients: readonly SdkClient[]): Disposable {
  const ticking = setInterval(() => {
    for (const client of clients) if (Math.random() < 0.7) client.send();
  }, 10);
  t.teardown(() => clearInterval(ticking));
  return { [Symbol.dispose]: () => clearInterval(ticking) };
}

/** What is wrong with the numbers on either side; `messages` is each way. */
export function tally(
  backends: readonly SdkBackend[],
  clients: readonly SdkClient[],
): { messages: number; lost: number; doubled: number; reordered: number } {
  const tally = new Tally();
  let messages = 0;
  for (const { name, got, sent } of clients) {
    messages += sent;
    tally.inOrder(got.map(Number), sent);
    const heard = backends.map(backend => (backend.heard.get(name) ?? []).map(Number));
    // A session may come to a backend twice; each time it goes on further on.
    for (const numbers of heard) tally.inOrder(numbers, numbers.length);
    tally.count(heard.flat(), sent);
  }
  return { messages, ...tally };
}

/** Every answer reached its client once and in order, every message one backend once. */
export async function allWhole(
  t: Test,
  { backends }: SdkStage,
  clients: readonly SdkClient[],
): Promise<void> {
  await until('all is answered', () => clients.every(({ got, sent }) => got.length >= sent), 20_000);
  const { messages, ...wrong } = tally(backends, clients);
  t.same(wrong, { lost: 0, doubled: 0, reordered: 0 });
  t.comment(`${messages} messages`);
}

export const listed = ({ leaseway }: Pick<SdkStage, 'leaseway'>): Promise<Listed[]> => listedBy(leaseway);
