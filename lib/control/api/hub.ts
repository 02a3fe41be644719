// Brings what happens to a lease to the worker by which its client watches it, and a client's answers to the worker that has its connection.

import type { LeaseOrder, LeaseReport, LeaseStream, SessionNews } from '../../orders/leases.ts';
import type { Seat } from '../session/ports.ts';

export interface HubHands {
  send(row: number, order: LeaseOrder): void;
  broadcast(order: LeaseOrder): void;
  /** All backends as of the last tick. */
  seats(): Iterable<Seat>;
}

export class LeaseHub {
  readonly #hands: HubHands;
  /** By session: the worker by which it is watched, and the stream. As many as there are streams, which workers bound. */
  readonly #watched = new Map<string, { readonly row: number; readonly number: number }>();
  #states = new Map<number, Seat['state']>();

  constructor(hands: HubHands) {
    this.#hands = hands;
  }

  heard(row: number, report: LeaseReport): void {
    switch (report.kind) {
      case 'lease-watch':
        for (const stream of report.streams) {
          if (report.on) this.#opened(stream, row);
          else this.#closed(stream, row);
        }
        return;
      case 'lease-news':
        return this.#pass(row, report.items);
      case 'lease-answer': {
        const { answer } = report;
        return this.#hands.send(Number.parseInt(answer.migration, 10), { kind: 'lease-answer', answer });
      }
      case 'lease-answered': {
        const { requestId, verdict } = report;
        return this.#hands.send(report.row, { kind: 'lease-answered', requestId, verdict });
      }
    }
  }

  /** The worker in this row ended, or another has its place. */
  gone(row: number): void {
    for (const [session, at] of this.#watched) if (at.row === row) this.#watched.delete(session);
  }

  /** Once a tick: clients hear of it when the state of their backend has changed. */
  tick(): void {
    if (this.#watched.size === 0) return this.#states.clear();
    const states = new Map<number, Seat['state']>();
    for (const { id, slot, state, load, predicted } of this.#hands.seats()) {
      if (state === 'gone') continue;
      states.set(slot, state);
      if ((this.#states.get(slot) ?? state) === state) continue;
      const status = { backend: id, status: state, load: figure(load), forecast: figure(predicted) };
      this.#hands.broadcast({ kind: 'backend-status', slot, status });
    }
    this.#states = states;
  }

  #opened({ session, number }: LeaseStream, row: number): void {
    const before = this.#watched.get(session);
    this.#watched.set(session, { row, number });
    if (before === undefined || before.row === row) return;
    const news = { kind: 'superseded', number: before.number } as const;
    this.#hands.send(before.row, { kind: 'lease-news', items: [{ session, news }] });
  }

  #closed({ session, number }: LeaseStream, row: number): void {
    const at = this.#watched.get(session);
    if (at?.row === row && at.number === number) this.#watched.delete(session);
  }

  #pass(from: number, items: readonly SessionNews[]): void {
    const byRow = new Map<number, SessionNews[]>();
    const unheard: string[] = [];
    for (const item of items) {
      const row = this.#watched.get(item.session)?.row;
      if (row !== undefined) {
        const news = byRow.get(row) ?? [];
        byRow.set(row, news);
        news.push(item);
      }
      if (row === undefined && item.news.kind === 'migration') unheard.push(item.news.id);
    }
    for (const [row, news] of byRow) this.#hands.send(row, { kind: 'lease-news', items: news });
    if (unheard.length > 0) this.#hands.send(from, { kind: 'lease-unheard', migrations: unheard });
  }
}

const figure = (value: number): number | null => (Number.isNaN(value) ? null : value);
