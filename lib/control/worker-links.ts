// The control plane's lines to the workers: orders go out, reports come in, questions to all are answered as one.

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import type { Explained, ExplainQuestion } from '../orders/explained.ts';
import type { LeaseReport } from '../orders/leases.ts';
import type {
  ConnectionReport,
  Order,
  Report,
  SpanRecord,
  TunnelActivity,
  TunnelEnding,
  TunnelMove,
  TunnelMoved,
} from '../orders/messages.ts';
import type { Snapshot } from '../orders/snapshot.ts';

/** A worker that hangs must not hang the answer to an operator. */
const ANSWER_WITHIN_MS = 2_000;
/** A move may wait for a backend to answer and for two to finish: what their settings allow at most ends before this. */
const MOVED_WITHIN_MS = 30_000;

export interface ConnectionList {
  readonly total: number;
  readonly items: readonly ConnectionReport[];
}

interface Question {
  readonly waiting: Set<number>;
  readonly items: ConnectionReport[];
  total: number;
  readonly done: () => void;
}

export interface LinkEvents {
  /** Hand the batch on; afterwards it is acknowledged. */
  spans(spans: readonly SpanRecord[], dropped: number): void;
  /** What the tunnels of a worker did, as often as `watchTunnels` asked for. */
  activity?(row: number, activity: TunnelActivity): void;
  /** Moves that ended, ordered or not. */
  moved?(row: number, moves: readonly TunnelMoved[]): void;
  /** Of leases that clients watch. */
  leases?(row: number, report: LeaseReport): void;
  /** The worker in this row ended, or gives way to another. */
  gone?(row: number): void;
}

export class WorkerLinks {
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #ports = new Map<number, MessagePort>();
  readonly #applied = new Map<number, number>();
  readonly #questions = new Map<number, Question>();
  readonly #explaining = new Map<
    number,
    { readonly row: number; readonly done: (explained: Explained | null | undefined) => void }
  >();
  /** By id of the connection: who waits to hear how its move ended. */
  readonly #moves = new Map<string, { readonly row: number; tell(moved: TunnelMoved): void }>();
  #nextQuestion = 1;
  #watchEveryMs = 0;
  #snapshot: Snapshot | null = null;
  #ending = false;

  constructor(clock: Clock, events: LinkEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  get rows(): readonly number[] {
    return [...this.#ports.keys()];
  }

  /** The oldest snapshot generation that some worker still serves by. */
  appliedGeneration(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const row of this.#ports.keys()) oldest = Math.min(oldest, this.#applied.get(row) ?? 0);
    return this.#ports.size === 0 ? 0 : oldest;
  }

  /** A (new) worker; it gets the snapshot in force at once. */
  add(row: number, port: MessagePort): void {
    this.remove(row);
    this.#ports.set(row, port);
    port.on('message', (report: Report) => this.#onReport(row, port, report));
    port.on('close', () => {
      if (this.#ports.get(row) === port) this.remove(row);
    });
    if (this.#watchEveryMs > 0) this.send(row, { kind: 'watch-tunnels', everyMs: this.#watchEveryMs });
    if (this.#snapshot !== null) this.send(row, { kind: 'snapshot', snapshot: this.#snapshot });
  }

  remove(row: number): void {
    this.#ports.get(row)?.close();
    this.#ports.delete(row);
    this.#applied.delete(row);
    this.#events.gone?.(row);
    for (const question of this.#questions.values()) this.#answered(question, row);
    for (const asked of this.#explaining.values()) if (asked.row === row) asked.done(undefined);
    for (const [id, waiting] of this.#moves)
      if (waiting.row === row) waiting.tell(lostMove(id, 'its worker is gone'));
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.broadcast({ kind: 'snapshot', snapshot });
  }

  broadcast(order: Order): void {
    for (const port of this.#ports.values()) port.postMessage(order);
  }

  /** What `perSecond` says is over all workers: each takes its share. */
  endTunnels(endings: readonly TunnelEnding[]): void {
    // The empty truth is told once.
    if (endings.length === 0 && !this.#ending) return;
    this.#ending = endings.length > 0;
    const workers = Math.max(1, this.#ports.size);
    const shares = endings.map(ending => ({ ...ending, perSecond: ending.perSecond / workers }));
    this.broadcast({ kind: 'end-tunnels', endings: shares });
  }

  /** Live connections of all workers, at most `limit` of each; a worker that does not answer in time is left out. */
  connections(limit: number): Promise<ConnectionList> {
    return new Promise(resolve => {
      const requestId = this.#nextQuestion++;
      const done = (): void => {
        timer[Symbol.dispose]();
        this.#questions.delete(requestId);
        resolve({ total: question.total, items: question.items });
      };
      const timer = this.#clock.after(ANSWER_WITHIN_MS, done);
      const question: Question = { waiting: new Set(this.#ports.keys()), items: [], total: 0, done };
      this.#questions.set(requestId, question);
      if (question.waiting.size === 0) return done();
      this.broadcast({ kind: 'list-connections', requestId, limit });
    });
  }

  /** What this worker answers; undefined when it is not there or does not answer in time. */
  explain(row: number, question: ExplainQuestion): Promise<Explained | null | undefined> {
    return new Promise(resolve => {
      if (!this.#ports.has(row)) return resolve(undefined);
      const requestId = this.#nextQuestion++;
      const done = (explained: Explained | null | undefined): void => {
        timer[Symbol.dispose]();
        this.#explaining.delete(requestId);
        resolve(explained);
      };
      const timer = this.#clock.after(ANSWER_WITHIN_MS, () => done(undefined));
      this.#explaining.set(requestId, { row, done });
      this.send(row, { kind: 'explain', requestId, question });
    });
  }

  /** Has every worker tell so often what its tunnels do; 0 ends it. */
  watchTunnels(everyMs: number): void {
    if (everyMs === this.#watchEveryMs) return;
    this.#watchEveryMs = everyMs;
    this.broadcast({ kind: 'watch-tunnels', everyMs });
  }

  /** `moved` is told how each ended. */
  moveTunnels(row: number, moves: readonly TunnelMove[]): void {
    this.send(row, { kind: 'move-tunnels', moves });
  }

  /**
   * Has `order` order a move of this connection and resolves with how it ended, or with the sentence in which `order` says that there is none;
   * undefined when no worker has such a connection.
   */
  moved(id: string, order: (row: number) => string): Promise<TunnelMoved> | undefined {
    const row = Number(id.slice(0, id.indexOf('-')));
    if (!this.#ports.has(row)) return undefined;
    if (this.#moves.has(id)) return Promise.resolve(lostMove(id, 'it is being moved already'));
    const refusal = order(row);
    if (refusal !== '') return Promise.resolve(lostMove(id, refusal));
    return new Promise(resolve => {
      const tell = (moved: TunnelMoved): void => {
        timer[Symbol.dispose]();
        this.#moves.delete(id);
        resolve(moved);
      };
      const timer = this.#clock.after(MOVED_WITHIN_MS, () =>
        tell(lostMove(id, 'its worker has not said how it ended')),
      );
      this.#moves.set(id, { row, tell });
    });
  }

  /** Nothing happens when there is no such worker. */
  send(row: number, order: Order): void {
    this.#ports.get(row)?.postMessage(order);
  }

  #onReport(row: number, port: MessagePort, report: Report): void {
    if (report.kind === 'applied') this.#applied.set(row, report.generation);
    else if (report.kind === 'spans') {
      this.#events.spans(report.spans, report.dropped);
      port.postMessage({ kind: 'ack', upTo: report.sequence } satisfies Order);
    } else if (report.kind === 'explained') this.#explaining.get(report.requestId)?.done(report.explained);
    else if (report.kind === 'tunnel-activity') this.#events.activity?.(row, report.activity);
    else if (report.kind === 'leases-followed') {
      // Its own worker knows already, and perhaps of a later one.
      for (const other of this.#ports.keys()) if (other !== row) this.send(other, report);
    } else if (report.kind === 'tunnels-moved') {
      for (const moved of report.moves) this.#moves.get(moved.id)?.tell(moved);
      this.#events.moved?.(row, report.moves);
    } else if (report.kind === 'connections') {
      const question = this.#questions.get(report.requestId);
      if (question === undefined) return;
      question.items.push(...report.items);
      question.total += report.total;
      this.#answered(question, row);
    } else this.#events.leases?.(row, report);
  }

  #answered(question: Question, row: number): void {
    if (question.waiting.delete(row) && question.waiting.size === 0) question.done();
  }
}

const lostMove = (id: string, reason: string): TunnelMoved => ({
  ...{ id, from: '', to: '', result: 'failed', holdMs: 0, reason },
});
