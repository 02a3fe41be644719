// The clients of the roll, all in one process: each sends its next number once a period and checks what is answered.
// Whoever is disconnected comes back within a second and goes on. `node migrate-client-process.ts PORT CLIENTS PERIOD_MS`.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { percentile } from '../support/percentile.ts';
import { Heard, judge, total, type Verdict } from './migrate-sequence.ts';

/** What it says: that all are connected, then, when it was told to stop, how it went. */
export type ClientsSay = { readonly open: number } | ClientsReport;

export interface ClientsReport {
  /** By client, with what it was answered. */
  readonly clients: readonly { readonly name: string; readonly sent: number }[];
  readonly answers: Verdict;
  readonly messages: number;
  readonly disconnects: number;
  /** Clients that were disconnected at least once. */
  readonly broken: number;
  readonly answeredMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

const [port, count, periodMs] = process.argv.slice(2).map(Number) as [number, number, number];
const OPENING_AT_ONCE = 64;
const TICK_MS = 10;
const LAST_ANSWERS_MS = 2_000;
const say = (what: ClientsSay): void => void process.send!(what);

const tookMs: number[] = [];
let stopped = false;

class Client {
  readonly name: string;
  readonly heard = new Heard();
  sent = 0;
  disconnects = 0;
  #socket: WebSocket | null = null;
  #sentMs = 0;

  constructor(name: string) {
    this.name = name;
  }

  async open(): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${this.name}`, { perMessageDeflate: false });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (stopped) return;
      if (this.#socket === socket) this.disconnects += 1;
      this.#socket = null;
      setTimeout(() => void this.open().catch(() => {}), Math.random() * 1_000);
    });
    await once(socket, 'open');
    socket.on('message', data => {
      const number = Number(String(data));
      this.heard.note(number);
      if (number === this.sent - 1) tookMs.push(performance.now() - this.#sentMs);
    });
    this.#socket = socket;
  }

  send(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#sentMs = performance.now();
    this.#socket.send(String(this.sent));
    this.sent += 1;
  }

  get answered(): boolean {
    return this.sent === 0 || this.heard.runs.at(-1)?.last === this.sent - 1;
  }
}

const clients = Array.from({ length: count }, (_, i) => new Client(`/c${i}`));
const waiting = [...clients];
await Promise.all(
  Array.from({ length: OPENING_AT_ONCE }, async () => {
    for (let client = waiting.pop(); client !== undefined; client = waiting.pop()) await client.open();
  }),
);

// Spread over the period; who is late catches up, so that the rate is what it says.
const startMs = performance.now();
let due = 0;
const sending = setInterval(() => {
  const until = ((performance.now() - startMs) / periodMs) * count;
  for (; due < until; due++) clients[due % count]!.send();
}, TICK_MS);
say({ open: count });

process.on('message', async () => {
  clearInterval(sending);
  const endMs = performance.now() + LAST_ANSWERS_MS;
  while (performance.now() < endMs && !clients.every(({ answered }) => answered))
    await new Promise(again => setTimeout(again, TICK_MS));
  stopped = true;
  const at = (share: number): number => percentile(tookMs, share);
  say({
    clients: clients.map(({ name, sent }) => ({ name, sent })),
    answers: total(clients.map(({ sent, heard }) => judge(sent, heard.runs))),
    messages: sum(clients.map(({ sent }) => sent)),
    disconnects: sum(clients.map(({ disconnects }) => disconnects)),
    broken: clients.filter(({ disconnects }) => disconnects > 0).length,
    answeredMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  });
});
process.on('disconnect', () => process.exit());

function sum(of: readonly number[]): number {
  return of.reduce((total, one) => total + one, 0);
}
