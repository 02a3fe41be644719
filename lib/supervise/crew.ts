// The workers together: one for each row of the scoreboard, on the ports of the first, started again when they die.

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import type { ListeningSocket, WorkerBirth, WorkerCommand } from '../orders/messages.ts';
import { type BackoffState, died, started } from './backoff.ts';
import { shareOf } from './shares.ts';
import { WorkerThread } from './worker-thread.ts';

export interface CrewParts {
  readonly board: WorkerBirth['board'];
  readonly count: number;
  /** Listening sockets of the process before. */
  readonly inherited: readonly ListeningSocket[];
  /** The ports must be nobody's yet. */
  readonly exclusive: boolean;
  readonly clock: Clock;
}

export interface CrewEvents {
  born(worker: WorkerThread): void;
  /** After the thread is wholly gone: its row may be released. */
  gone(worker: WorkerThread): void;
  /** The worker's end of a channel to the control thread; null while there is none. */
  introduce(row: number): MessagePort | null;
  ready(): void;
  listenFailed(address: string, error: string): void;
  drained(row: number, cut: number): void;
  /** It died, and is started again after so many ms. */
  died(row: number, reason: string, inMs: number): void;
  /** The crew leaves, and this was its last. */
  empty(): void;
}

/** A worker that does not tell its sockets by then hangs; an upgrade goes on without it. */
const SOCKETS_WITHIN_MS = 2_000;

export class Crew {
  readonly #parts: CrewParts;
  readonly #events: CrewEvents;
  readonly #workers = new Map<number, WorkerThread>();
  readonly #ready = new Set<number>();
  readonly #backoff = new Map<number, BackoffState>();
  readonly #ports: Record<string, number> = {};
  #addresses: readonly ListeningSocket[] = [];
  #settled = false;
  #leaving = false;

  constructor(parts: CrewParts, events: CrewEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get count(): number {
    return this.#parts.count;
  }

  /** What the first worker listens on; the others share it. */
  get addresses(): readonly ListeningSocket[] {
    return this.#addresses;
  }

  get isReady(): boolean {
    return this.#ready.size === this.count;
  }

  get isEmpty(): boolean {
    return this.#workers.size === 0;
  }

  /** The first worker alone: what it binds for port 0 is what the others must bind too. */
  begin(): void {
    this.#start(0);
  }

  /** All of them serve: what was inherited is used, and whoever starts from now on shares ports with the others. */
  settle(): void {
    this.#settled = true;
  }

  /** Joins all to a new control thread. */
  introduceAll(): void {
    for (const worker of this.#workers.values()) this.#introduce(worker);
  }

  /** A worker that died since it answered has taken its descriptors along: only those of the living count. */
  async sockets(): Promise<readonly ListeningSocket[]> {
    const asked = [...this.#workers.values()];
    const answers = await Promise.all(
      asked.map(worker => worker.sockets(this.#parts.clock, SOCKETS_WITHIN_MS)),
    );
    return answers.flatMap((sockets, i) => (this.#workers.get(asked[i]!.row) === asked[i] ? sockets : []));
  }

  /** From now on nobody who leaves is replaced. */
  drain(share: Omit<Extract<WorkerCommand, { kind: 'drain' }>, 'kind'>): void {
    this.#leaving = true;
    for (const worker of this.#workers.values()) worker.drain(share);
    if (this.isEmpty) this.#events.empty();
  }

  end(row: number): void {
    void this.#workers.get(row)?.terminate();
  }

  async endAll(): Promise<void> {
    this.#leaving = true;
    await Promise.all([...this.#workers.values()].map(worker => worker.terminate()));
  }

  #start(row: number): void {
    const { board, count, inherited, exclusive, clock } = this.#parts;
    this.#backoff.set(row, started(this.#backoff.get(row), clock.monotonicMs()));
    const worker = new WorkerThread(
      {
        ...{ board, row, workers: count },
        // Each inherited socket goes to one worker, all sockets to some worker: a queue nobody accepts from would strand clients.
        inherited: this.#settled ? [] : shareOf(inherited, row, count),
        ports: { ...this.#ports },
        // The first bind finds out whether somebody else has the port; the sockets that share it would not.
        exclusive: exclusive && row === 0 && !this.#settled,
      },
      {
        ready: sockets => this.#onReady(row, sockets),
        listenFailed: (address, error) => this.#events.listenFailed(address, error),
        drained: cut => this.#events.drained(row, cut),
        exited: reason => this.#onExit(worker, reason),
      },
    );
    this.#workers.set(row, worker);
    this.#events.born(worker);
    this.#introduce(worker);
  }

  #introduce(worker: WorkerThread): void {
    const port = this.#events.introduce(worker.row);
    if (port !== null) worker.connect(port);
  }

  #onReady(row: number, sockets: readonly ListeningSocket[]): void {
    for (const socket of sockets) this.#ports[socket.address] ??= socket.port;
    this.#ready.add(row);
    if (row === 0 && !this.#settled)
      for (let other = 1; other < this.count; other++) if (!this.#backoff.has(other)) this.#start(other);
    if (this.#addresses.length === 0) this.#addresses = sockets;
    this.#events.ready();
  }

  #onExit(worker: WorkerThread, reason: string): void {
    const { row } = worker;
    const { clock } = this.#parts;
    this.#workers.delete(row);
    this.#ready.delete(row);
    this.#events.gone(worker);
    if (this.#leaving) {
      if (this.isEmpty) this.#events.empty();
      return;
    }
    const backoff = died(this.#backoff.get(row)!, clock.monotonicMs());
    this.#backoff.set(row, backoff);
    this.#events.died(row, reason, backoff.delayMs);
    clock.after(backoff.delayMs, () => {
      if (!this.#leaving) this.#start(row);
    });
  }
}
