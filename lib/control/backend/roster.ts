// Who is in a cluster right now: turns what the sources say into backends with a slot and a generation, and back.

import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { ControlBoard } from '../../scoreboard/ports.ts';
import { Backend } from './backend.ts';
import type { NamedBackend } from './identity.ts';
import type { Ledger } from './ledger.ts';
import { Membership, type SourceKind } from './membership.ts';
import type { BackendChange } from './ports.ts';

export interface RosterHands {
  readonly board: ControlBoard;
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly maxBackends: number;
  /** Entries are no longer what they were. */
  changed(): void;
}

export interface RosterEvents {
  arrived(backend: Backend): void;
  left(backend: Backend): void;
}

export class Roster {
  readonly backends = new Map<string, Backend>();
  readonly #cluster: string;
  readonly #hands: RosterHands;
  readonly #events: RosterEvents;
  readonly #members = new Membership();
  /** Members for which the scoreboard has no slot yet. */
  readonly #slotless = new Set<string>();

  constructor(cluster: string, hands: RosterHands, events: RosterEvents) {
    this.#cluster = cluster;
    this.#hands = hands;
    this.#events = events;
  }

  /** Backends that wait for a slot count too. */
  get size(): number {
    return this.backends.size + this.#slotless.size;
  }

  known(source: SourceKind): readonly NamedBackend[] {
    return this.#members.listOf(source);
  }

  sourceOf(id: string): SourceKind | undefined {
    return this.#members.of(id)?.source;
  }

  apply(source: SourceKind, change: BackendChange): void {
    if (change.kind === 'remove') {
      this.#members.delete(source, change.id);
      this.#reconcile(change.id);
      return;
    }
    const { id = '', url, weight, capacity } = change.backend;
    const other = this.#members.of(id);
    if (change.kind === 'insert' && other !== undefined && other.source !== source)
      this.#hands.log.warn(
        `cluster ${this.#cluster}: backend ${id} comes from ${other.source} and ${source}`,
      );
    this.#members.set(source, { id, url, weight, capacity });
    this.#reconcile(id);
  }

  /** Slots may have become free. */
  retrySlotless(): void {
    for (const id of this.#slotless) {
      this.#reconcile(id);
      // When there is none for this one there is none for the others: thousands would search in vain at each tick.
      if (this.#slotless.has(id)) return;
    }
  }

  removeAll(): void {
    for (const backend of [...this.backends.values()]) this.#remove(backend, 'removed');
  }

  /** Makes the backend what its sources say, or gone. */
  #reconcile(id: string): void {
    const member = this.#members.of(id);
    const backend = this.backends.get(id);
    if (member === undefined) {
      this.#slotless.delete(id);
      if (backend !== undefined) this.#remove(backend, 'removed');
      return;
    }
    if (backend?.url === member.backend.url) {
      backend.source = member.source;
      backend.capacity = member.backend.capacity;
      if (backend.weight === member.backend.weight) return;
      backend.weight = member.backend.weight;
      this.#hands.changed();
      return;
    }
    if (backend !== undefined) this.#remove(backend, 'replaced');
    this.#insert(member.backend, member.source);
  }

  #insert(named: NamedBackend, source: SourceKind): void {
    const { ledger, clock, board, log, maxBackends } = this.#hands;
    const { id, url } = named;
    const slot = ledger.slots.take(ownerOf(this.#cluster, id, url), clock.monotonicMs());
    if (slot === undefined) {
      if (!this.#slotless.has(id))
        log.error(
          `cluster ${this.#cluster}: no room for backend ${id}: max_backends is ${maxBackends}, with those that still end their connections`,
          { cluster: this.#cluster, backend: id },
        );
      this.#slotless.add(id);
      return;
    }
    this.#slotless.delete(id);
    ledger.generations.open(this.#cluster, id);
    const backend = new Backend(named, source, slot, board.totals(slot.index), clock.monotonicMs());
    this.backends.set(id, backend);
    log.info(`cluster ${this.#cluster}: backend ${id} added`, {
      cluster: this.#cluster,
      backend: id,
      url,
      source,
    });
    this.#touch();
    this.#events.arrived(backend);
  }

  #remove(backend: Backend, reason: 'removed' | 'replaced'): void {
    const { ledger, clock, log } = this.#hands;
    const { id, url } = backend;
    this.backends.delete(id);
    ledger.slots.retire(ownerOf(this.#cluster, id, url), clock.monotonicMs());
    if (reason === 'removed') ledger.generations.leave(this.#cluster, id, clock.wallMs());
    else ledger.generations.raise(this.#cluster, id, 'replaced');
    log.info(`cluster ${this.#cluster}: backend ${id} ${reason}`, { cluster: this.#cluster, backend: id });
    this.#touch();
    this.#events.left(backend);
  }

  #touch(): void {
    this.#hands.ledger.touch();
    this.#hands.changed();
  }
}

/** Another URL under the same name is another backend: its slot, health and statistics are its own. */
const ownerOf = (cluster: string, id: string, url: string): string => `${cluster}/${id}@${url}`;
