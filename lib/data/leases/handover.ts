// A WebSocket that its client moves: the client opens another connection with the ticket it is given, and this one ends where it says.
//
//   steady ── move ──► asked ── ready(count) ──► parting ──► over      the proxy leaves the old backend at that count
//     ▲                  │ failed, late, unheard    │ the backend is down, or says no Close in time: cut, unclean
//     └──────────────────┘                          ▼
//                                                 over

import type { MigrationSaid, MigrationVerdict } from '../../orders/leases.ts';
import type { Ticket } from '../../plan/lease/ticket.ts';
import { BackendState } from '../../scoreboard/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import type { Plane } from '../exchange/plane.ts';
import type { LiveTunnel, MoveResult, TunnelEnd } from '../websocket/live-tunnel.ts';
import type { Relay } from '../websocket/relay.ts';
import { type Answerable, UNKNOWN } from './handovers.ts';

export interface HandoverFacts {
  readonly cluster: Cluster;
  readonly member: Member;
  readonly ticket: Ticket;
  /** As its client has it. */
  readonly connection: string;
  /** uint32 that consistent_hash and maglev place by. */
  readonly key: number;
}

interface Move {
  readonly id: string;
  readonly to: Member;
  readonly why: string;
  timer: Disposable;
  /** Since the client is held; NaN before. */
  readySinceMs: number;
  clean: boolean;
}

/** A client's time for its answer to come, beyond the time it has. */
const GRACE_MS = 1_000;
const TAKEN: MigrationVerdict = Object.freeze({ known: true, lease: null });

export class Handover implements LiveTunnel, Answerable {
  readonly #plane: Plane;
  readonly #relay: Relay;
  readonly #facts: HandoverFacts;
  #move: Move | null = null;
  #over = false;
  #onMoved: (move: MoveResult, slot: number) => void = () => {};

  constructor(plane: Plane, relay: Relay, facts: HandoverFacts) {
    this.#plane = plane;
    this.#relay = relay;
    this.#facts = facts;
    relay.onClose(() => this.#closed());
  }

  get session(): string {
    return this.#facts.ticket.session;
  }

  get bytesIn(): number {
    return this.#relay.bytesIn;
  }

  get bytesOut(): number {
    return this.#relay.bytesOut;
  }

  get messages(): number {
    return this.#relay.messages;
  }

  get movable(): boolean {
    return this.#move === null && !this.#over && this.#relay.leavable;
  }

  move(to: string | null, why: string): boolean {
    if (!this.movable) return false;
    const target = this.#target(to);
    if (typeof target === 'string') {
      queueMicrotask(() => this.#say('failed', to ?? '', -1, target, 0));
      return true;
    }
    const { cluster, member, ticket, connection } = this.#facts;
    const { clock, leases } = this.#plane;
    const { timeout, hold } = cluster.config.websocket;
    const deadlineMs = timeout + hold.time;
    const id = leases.handovers.begin(this);
    const timer = clock.after(deadlineMs + GRACE_MS, () => this.#late());
    this.#move = { id, to: target, why, timer, readySinceMs: Number.NaN, clean: false };
    const place = { cluster, member: target, route: ticket.route };
    leases.tell(this.session, {
      ...{ kind: 'migration', id, connection, reason: why, deadlineMs },
      ticket: leases.grants.ticket(this.session, place, member),
    });
    return true;
  }

  onMoved(listener: (move: MoveResult, slot: number) => void): void {
    this.#onMoved = listener;
  }

  end(code: number): void {
    this.#relay.end(code);
  }

  destroy(): void {
    this.#relay.destroy();
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#relay.onClose(listener);
  }

  said(migration: string, said: MigrationSaid): MigrationVerdict {
    const move = this.#move;
    if (move === null || move.id !== migration) return UNKNOWN;
    switch (said.kind) {
      case 'accepted':
        return TAKEN;
      case 'failed':
        if (Number.isNaN(move.readySinceMs)) this.#callOff(`its client: ${said.reason.slice(0, 200)}`);
        return TAKEN;
      case 'ready':
        return this.#ready(move, said.sentMessages) ? TAKEN : UNKNOWN;
      case 'switched': {
        const { cluster, ticket } = this.#facts;
        const place = { cluster, member: move.to, route: ticket.route };
        return { known: true, lease: this.#plane.leases.grants.grant(this.session, place) };
      }
    }
  }

  unheard(migration: string): void {
    if (this.#move?.id === migration && Number.isNaN(this.#move.readySinceMs))
      this.#callOff('its client does not listen');
  }

  /** A backend that takes it, or why there is none. */
  #target(to: string | null): Member | string {
    const { cluster, member, key } = this.#facts;
    // No request may have come since the state of a backend changed.
    this.#plane.decisions.refresh();
    if (to === null) {
      const picked = cluster.pick({ key, accepts: slot => slot !== member.slot });
      return picked ?? `cluster ${cluster.name} has no other backend that takes it`;
    }
    return cluster.moveTarget(to, member);
  }

  /** Taken once; said again it changes nothing. */
  #ready(move: Move, messages: number): boolean {
    if (!Number.isNaN(move.readySinceMs)) return true;
    const { cluster, member } = this.#facts;
    const { clock, decisions } = this.#plane;
    const leaves = this.#relay.leave(messages, () => {
      move.clean = true;
    });
    if (!leaves) {
      this.#callOff('its client counts otherwise');
      return false;
    }
    move.readySinceMs = clock.monotonicMs();
    move.timer[Symbol.dispose]();
    decisions.refresh();
    const state = cluster.stateOf(member);
    // One that is gone has no last word to wait for.
    const gone = state !== BackendState.up && state !== BackendState.draining;
    if (gone) this.#relay.destroy();
    else move.timer = clock.after(cluster.config.websocket.hold.time, () => this.#relay.destroy());
    return true;
  }

  #late(): void {
    this.#callOff('its client did not move in time');
  }

  /** As if nothing had been asked. */
  #callOff(why: string): void {
    const move = this.#move!;
    move.timer[Symbol.dispose]();
    this.#plane.leases.handovers.over(move.id);
    this.#move = null;
    this.#say('failed', move.to.id, -1, why, 0);
  }

  #closed(): void {
    this.#over = true;
    const move = this.#move;
    if (move === null) return;
    if (Number.isNaN(move.readySinceMs)) return this.#callOff('the connection closed');
    move.timer[Symbol.dispose]();
    this.#plane.leases.handovers.over(move.id);
    const heldMs = this.#plane.clock.monotonicMs() - move.readySinceMs;
    this.#say(move.clean ? 'moved' : 'unclean', move.to.id, move.to.slot, move.why, heldMs);
  }

  #say(result: MoveResult['result'], to: string, slot: number, why: string, holdMs: number): void {
    this.#onMoved({ result, to, holdMs, why }, slot);
  }
}
