// A chat whose messages are numbered by its clients and counted by its backends, behind a real leaseway: for tests of moves.

import { once } from 'node:events';
import type { Test } from 'tap';
import WebSocket from 'ws';
import { CountingBackend, type CountingOptions } from './counting-backend.ts';
import { Leaseway, type LeasewayOptions } from './leaseway.ts';
import { Tally } from './tally.ts';

export const LEASE_SECRET = 'a secret for these tests that is long enough';

export interface ChatStage {
  readonly leaseway: Leaseway;
  readonly backends: readonly CountingBackend[];
}

/** leaseway.yaml of a stage. */
export const CHAT_CONFIG = { workers: 1, leases: { keys: [LEASE_SECRET] }, routes: [{ cluster: 'chat' }] };

/** Backends `b1`, `b2` … of the one cluster `chat`. */
export async function chatStage(
  t: Pick<Test, 'teardown'>,
  backends: readonly CountingOptions[],
  cluster: Record<string, unknown> = {},
  options: Partial<LeasewayOptions> = {},
): Promise<ChatStage> {
  const started = await Promise.all(
    backends.map((options, i) => CountingBackend.start(`b${i + 1}`, options)),
  );
  const leaseway = await Leaseway.start({
    ...options,
    config: { ...CHAT_CONFIG, ...options.config },
    clusters: { chat: chatCluster(started, cluster) },
  });
  t.teardown(async () => {
    await leaseway[Symbol.asyncDispose]();
    await Promise.all(started.map(backend => backend[Symbol.asyncDispose]()));
  });
  return { leaseway, backends: started };
}

export const chatCluster = (
  backends: readonly { readonly name: string; readonly url: string }[],
  more: Record<string, unknown> = {},
) => ({
  backends: backends.map(({ name, url }) => ({ id: name, url })),
  outlier: { consecutive_failures: 0 },
  websocket: { migrate: 'transparent', timeout: '1s', hold: { time: '500ms' } },
  drain: { pace: 500 },
  ...more,
});

/** A client that numbers what it sends and keeps what it gets. */
export class ChatClient {
  readonly path: string;
  readonly socket: WebSocket;
  readonly got: string[] = [];
  sent = 0;
  code = 0;

  constructor(path: string, socket: WebSocket) {
    this.path = path;
    this.socket = socket;
    socket.on('message', data => this.got.push(String(data)));
    socket.on('close', code => {
      this.code = code;
    });
    socket.on('error', () => {});
  }

  send(): void {
    this.sent += 1;
    // Some in fragments, with a control frame in between.
    if (this.sent % 7 === 0) {
      this.socket.send(`${this.sent}`.slice(0, 1), { fin: false });
      this.socket.ping();
      this.socket.send(`${this.sent}`.slice(1), { fin: true });
    } else this.socket.send(`${this.sent}`);
  }

  get numbers(): number[] {
    return this.got.map(text => Number(text.split(' ')[1]));
  }
}

let paths = 0;

/** A room of its own for each connection. */
export const nextRoom = (): string => `/room-${++paths}`;

export async function connect(
  t: Pick<Test, 'teardown'>,
  leaseway: Leaseway,
  protocols: string[] = [],
): Promise<ChatClient> {
  const path = `${nextRoom()}?x=%20`;
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}${path}`, protocols);
  t.teardown(() => socket.terminate());
  const client = new ChatClient(path, socket);
  await once(socket, 'open');
  return client;
}

/** Each message was heard once, in order, by all backends together, and answered. */
export function whole(t: Test, clients: readonly ChatClient[], backends: readonly CountingBackend[]): void {
  const tally = new Tally();
  for (const { path, sent, numbers } of clients) {
    tally.inOrder(numbers, sent);
    tally.count(backends.flatMap(backend => backend.heard.get(path) ?? []).map(Number), sent);
  }
  t.same({ ...tally }, { lost: 0, doubled: 0, reordered: 0 });
}

export interface Listed {
  readonly id: string;
  readonly backend: string;
  readonly movable: boolean;
}

export const listed = async (leaseway: Leaseway): Promise<Listed[]> =>
  (await leaseway.admin('/v1/connections?limit=10000')).body.items;

export const move = async (leaseway: Leaseway, id: string, to?: string) =>
  (await leaseway.admin(`/v1/connections/${id}/move`, 'POST', to === undefined ? {} : { to })).body;
