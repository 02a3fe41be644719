// Sessions of one cluster in virtual time: backends whose load is what their sessions ask for times a price, and a worker that obeys at once.

import { Cluster } from '../../lib/config/cluster.ts';
import type { DecisionRecord, Seat } from '../../lib/control/session/ports.ts';
import { Sessions } from '../../lib/control/session/sessions.ts';
import type { TunnelMove, TunnelMoved } from '../../lib/orders/messages.ts';
import { EventCalendar } from '../../lib/plan/forecast/events.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryLog } from './memory-log.ts';

const TICK_MS = 250;
const TOLD_EVERY_MS = 500;

interface WorldBackend {
  readonly seat: { -readonly [K in keyof Seat]: Seat[K] };
  /** Load of one message a second. */
  price: number;
}

interface Tunnel {
  readonly sequence: number;
  readonly sinceMs: number;
  slot: number;
  messagesPerSecond: number;
  movable: boolean;
}

export class SessionWorld {
  readonly clock = new FakeClock();
  readonly backends: WorldBackend[];
  readonly decided: DecisionRecord[] = [];
  readonly ordered: TunnelMove[] = [];
  readonly log = new MemoryLog();
  sessions: Sessions;
  watchedMs = 0;
  /** How an order ends; null: never. */
  obey: (move: TunnelMove) => TunnelMoved['result'] | null = () => 'moved';
  tunnels: Tunnel[] = [];
  readonly #stateDir: string;
  #config: Record<string, unknown>;
  #next = 1;

  constructor(
    stateDir: string,
    config: Record<string, unknown> = {},
    ids: readonly string[] = ['a', 'b', 'c'],
  ) {
    this.#stateDir = stateDir;
    this.#config = config;
    this.backends = ids.map((id, slot) => ({
      price: 0.01,
      seat: {
        ...{ id, slot, slotGeneration: 1, state: 'up', takesNew: true, drainUntilMs: null, requests: 0 },
        ...{ load: Number.NaN, ageMs: 0, predicted: Number.NaN, calendar: new EventCalendar() },
      },
    }));
    this.sessions = this.#start();
  }

  at(id: string): WorldBackend {
    return this.backends.find(({ seat }) => seat.id === id)!;
  }

  countOn(id: string): number {
    return this.tunnels.filter(({ slot }) => slot === this.at(id).seat.slot).length;
  }

  open(id: string, count: number, messagesPerSecond = 1): void {
    const { slot } = this.at(id).seat;
    for (let i = 0; i < count; i++)
      this.tunnels.push({
        ...{ sequence: this.#next++, sinceMs: this.clock.monotonicMs(), slot, messagesPerSecond },
        movable: true,
      });
  }

  configure(config: Record<string, unknown>): void {
    this.#config = config;
    this.sessions.configure({ chat: Cluster.parse(config) });
  }

  /** A control thread that begins anew, on the same state directory. */
  restart(): void {
    this.sessions = this.#start();
  }

  pass(ms: number, each: () => void = () => {}): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.clock.advance(TICK_MS);
      if (this.clock.monotonicMs() % TOLD_EVERY_MS === 0) this.tell();
      this.#measure();
      this.sessions.tick();
      this.answer();
      each();
    }
  }

  tell(): void {
    const nowMs = this.clock.monotonicMs();
    const column = (read: (tunnel: Tunnel) => number) => this.tunnels.map(read);
    this.sessions.heard(0, {
      sequences: Float64Array.from(column(({ sequence }) => sequence)),
      slots: Int32Array.from(column(({ slot }) => slot)),
      bytes: new Float64Array(this.tunnels.length),
      messages: Float64Array.from(
        column(({ messagesPerSecond }) => (messagesPerSecond * TOLD_EVERY_MS) / 1000),
      ),
      ageMs: Float64Array.from(column(({ sinceMs }) => nowMs - sinceMs)),
      movable: Uint8Array.from(column(({ movable }) => (movable ? 1 : 0))),
    });
  }

  answer(): void {
    for (const move of this.ordered.splice(0)) {
      const result = this.obey(move);
      const tunnel = this.tunnels.find(({ sequence }) => move.id === `0-${sequence}`);
      if (result === null || tunnel === undefined) continue;
      const from = this.backends[tunnel.slot]!.seat.id;
      if (result === 'moved' || result === 'unclean') tunnel.slot = this.at(move.to!).seat.slot;
      this.sessions.moved(0, [{ id: move.id, from, to: move.to!, result, holdMs: 1, reason: 'as ordered' }]);
    }
  }

  #start(): Sessions {
    const sessions = new Sessions({
      ...{ stateDir: this.#stateDir, clock: this.clock, maxBackends: 16 },
      log: this.log,
      seats: () => this.backends.map(({ seat }) => ({ ...seat })),
      tunnels: () => this.tunnels.length,
      watch: everyMs => {
        this.watchedMs = everyMs;
      },
      order: (_, moves) => void this.ordered.push(...moves),
      decided: record => void this.decided.push(record),
    });
    sessions.configure({ chat: Cluster.parse(this.#config) });
    return sessions;
  }

  #measure(): void {
    for (const { seat, price } of this.backends) {
      const asked = this.tunnels
        .filter(({ slot }) => slot === seat.slot)
        .reduce((sum, { messagesPerSecond }) => sum + messagesPerSecond, 0);
      seat.load = price * asked;
      seat.predicted = seat.state === 'up' ? seat.load : Number.NaN;
    }
  }
}
