// A WebSocket connection over any two byte streams: HTTP/1.1 sockets, HTTP/2 streams (RFC 8441), or one of each. Bytes pass
// as they are; frames are tracked, so that it can end in order and, where the route allows it, change its backend between two messages.
//
// What happens when is decided in migration.ts; here it is done.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { DRAIN_NOTICE } from '../../core/cooperation.ts';
import type { Random } from '../../core/random.ts';
import type { CoarseTimers } from '../../core/timers.ts';
import { closeFrame, GOING_AWAY, maskedCloseFrame, maskedPing, NORMAL, SERVICE_RESTART } from './frames.ts';
import { type IdleOwner, IdleWatch } from './idle-watch.ts';
import { Inflow, type InflowOwner } from './inflow.ts';
import { Leg, type LegOwner } from './leg.ts';
import type { RelaySettings } from './legs.ts';
import { EndNotice, type LiveTunnel, type MoveResult, type TunnelEnd } from './live-tunnel.ts';
import { isHeld, type MoveEffect, type MoveEvent, type MoveState, STEADY, step } from './migration.ts';
import { Move } from './move.ts';
import { Outflow, type OutflowOwner } from './outflow.ts';
import { SocketPair } from './socket-pair.ts';

/** One end: the stream, and what was read from it before it came here. */
export interface TunnelSide {
  readonly socket: Duplex;
  readonly rest: Uint8Array;
}

export interface RelayOptions {
  /** Ends a connection through which nothing passes; 0 never. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly random: Random;
  /** The first backend answers all it has on notice, and closes then. */
  readonly cooperative: boolean;
  /** Null where connections stay with their backend. */
  readonly moves: RelaySettings | null;
}

export class Relay implements LiveTunnel, LegOwner, InflowOwner, OutflowOwner, IdleOwner {
  readonly #notice = new EndNotice();
  readonly #client: Duplex;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #moves: RelaySettings | null;
  readonly #pair: SocketPair;
  readonly #in: Inflow;
  readonly #out: Outflow;
  readonly #idle: IdleWatch;
  #state: MoveState = STEADY;
  /** In use; between two backends the one that died. */
  #leg: Leg;
  #move: Move | null = null;
  #onMoved: ((move: MoveResult, slot: number) => void) | null = null;
  #events: MoveEvent[] | null = null;
  /** Its backend is left for good; hears that it said Close. */
  #left: (() => void) | null = null;

  constructor(client: TunnelSide, backend: TunnelSide, options: RelayOptions) {
    const { clock, random, moves } = options;
    this.#client = client.socket;
    this.#clock = clock;
    this.#random = random;
    this.#moves = moves;
    this.#leg = new Leg(this, backend.socket, backend.rest, options.cooperative, backend.rest.length + 1);
    this.#pair = new SocketPair(client.socket, backend.socket, clock, end => this.#over(end));
    this.#in = new Inflow(client.socket, backend.socket, this, moves?.holdBytes ?? 0);
    this.#out = new Outflow(client.socket, this);
    this.#idle = new IdleWatch(this, options.timers, options.idleMs);
    client.socket.on('drain', () => this.#leg.socket.resume());
    this.#in.start(client.rest);
    this.#leg.use();
  }

  get bytesIn(): number {
    return this.#in.bytes;
  }

  get bytesOut(): number {
    return this.#out.bytes;
  }

  get messages(): number {
    return this.#in.frames.messages + this.#out.messages;
  }

  get movable(): boolean {
    return this.#moves !== null && this.#state.phase === 'steady' && !this.#pair.ending && this.#readable;
  }

  /** `leave` would do. */
  get leavable(): boolean {
    return !this.#pair.ending && this.#left === null && this.#readable;
  }

  /**
   * Once `messages` of the client have reached the backend, that is told to finish; all but its Close goes on, then the client gets 1012
   * and `closed` is called. False when more have passed already, or one side closes.
   */
  leave(messages: number, closed: () => void): boolean {
    if (!this.leavable || this.#in.frames.messages > messages) return false;
    this.#left = closed;
    this.#in.await(messages);
    return true;
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#notice.add(listener);
  }

  onMoved(listener: (move: MoveResult, slot: number) => void): void {
    this.#onMoved = listener;
  }

  move(to: string | null, why: string): boolean {
    if (!this.movable) return false;
    const moves = this.#moves!;
    this.#move = new Move(to);
    this.#tell({ kind: 'move', mode: moves.mode, why });
    return true;
  }

  end(code: number): void {
    this.#close('ended', code);
  }

  idle(): void {
    this.#close('idle', GOING_AWAY);
  }

  destroy(): void {
    this.#pair.blame('destroyed', '');
    this.#fix('the connection is ended');
    this.#pair.destroy();
  }

  /** Both directions are understood, and neither is closing. */
  get #readable(): boolean {
    const [inward, outward] = [this.#in.frames, this.#out.frames];
    return !inward.lost && !inward.closing && !outward.lost && !outward.closing;
  }

  #close(kind: 'ended' | 'idle', code: number): void {
    if (this.#pair.ending) return;
    const held = isHeld(this.#state);
    this.#pair.blame(kind, `closed with ${code}`);
    this.#fix('the connection is ended');
    this.#finish(code, this.#leg.socket.destroyed);
    // The backend of a client that was held had been told already.
    if (held && !this.#leg.socket.writableEnded) this.#leg.socket.end();
  }

  #partWith(closed: () => void): void {
    closed();
    this.#pair.blame('ended', 'its client went to another connection');
    const { socket, cooperative } = this.#leg;
    // The others have had their Close.
    if (!cooperative && !socket.writableEnded) socket.end();
    this.#finish(SERVICE_RESTART, false);
  }

  #finish(code: number, dead: boolean): void {
    this.#out.finishWith(closeFrame(code), dead);
    this.#in.finishWith(maskedCloseFrame(code, this.#random));
    this.#pair.closeSoon();
  }

  #over(end: TunnelEnd): void {
    this.#idle[Symbol.dispose]();
    this.#fix('the client left');
    this.#notice.tell(end);
  }

  // ── the backend's side ─────────────────────────────────────────────────────────────────────────────────

  legData(leg: Leg, chunk: Uint8Array): void {
    if (leg === this.#leg) this.#out.take(chunk);
  }

  legDrained(leg: Leg): void {
    if (leg === this.#leg && !isHeld(this.#state)) this.#in.drained();
  }

  legEnded(leg: Leg): void {
    if (leg !== this.#leg) return;
    // A WebSocket ends with Close; a backend that only stops has died, and what it dies of is not the client's business.
    if (this.#mayRescue) leg.socket.destroy();
    else if (!this.#client.writableEnded) this.#client.end();
  }

  legClosed(leg: Leg): void {
    const why = leg.error || 'the backend’s connection ended without Close';
    if (leg === this.#move?.leg) {
      this.#move.leg = null;
      this.#tell({ kind: 'spoilt', why: `the new ${why.replace(/^the /, '')}` });
    } else if (leg === this.#leg && this.#mayRescue) {
      this.#pair.part();
      const inward = isHeld(this.#state) || this.#in.frames.atMessage;
      this.#tell({ kind: 'lost', between: inward && this.#out.frames.atMessage, why });
    } else this.#pair.backendClosed(leg.socket, leg.error);
  }

  get #mayRescue(): boolean {
    return (
      this.#moves !== null && this.#state.phase !== 'over' && !this.#pair.ending && this.#pair.clientOpen
    );
  }

  backendFixed(why: string): void {
    if (this.#state.phase !== 'over') this.#tell(closed(why, this.#out.frames.closing));
  }

  backendClosed(): void {
    if (this.#left !== null) this.#partWith(this.#left);
    else this.#tell({ kind: 'closed', between: this.#out.frames.atMessage });
  }

  backendBetween(): void {
    this.#tell({ kind: 'between' });
  }

  clientFull(): void {
    this.#leg.socket.pause();
  }

  // ── the client's side ──────────────────────────────────────────────────────────────────────────────────

  clientReached(): void {
    this.#out.leave();
    this.#sayLeave();
  }

  clientAligned(): void {
    this.#tell({ kind: 'aligned' });
  }

  clientFixed(why: string): void {
    this.#fix(why);
  }

  // ── moving ─────────────────────────────────────────────────────────────────────────────────────────────

  #fix(why: string): void {
    if (this.#moves !== null && this.#state.phase !== 'over') this.#tell({ kind: 'fixed', why });
  }

  /** What an effect causes is dealt with after it, in the order it came. */
  #tell(event: MoveEvent): void {
    if (this.#moves === null) return;
    if (this.#events !== null) return void this.#events.push(event);
    const events = [event];
    this.#events = events;
    for (let i = 0; i < events.length; i++) {
      const { state, effects } = step(this.#state, events[i]!, this.#clock.monotonicMs());
      this.#state = state;
      for (const effect of effects) this.#do(effect, this.#moves);
    }
    this.#events = null;
  }

  #do(effect: MoveEffect, moves: RelaySettings): void {
    switch (effect.do) {
      case 'dial':
        return this.#dial(moves);
      case 'undial':
        return this.#move?.callOff(this.#clock, this.#random);
      case 'align':
        return this.#in.align();
      case 'unalign':
        return this.#in.unalign();
      case 'hold':
        return this.#in.hold();
      case 'leave':
        this.#out.leave();
        return this.#sayLeave();
      case 'hurry':
        return this.#out.hurry();
      case 'switch':
        return this.#switch(moves);
      case 'abandon':
        return this.#abandon();
      case 'timer':
        this.#move ??= new Move(null);
        return this.#move.wait(this.#clock, effect.of === 'dial' ? moves.dialMs : moves.holdMs, () =>
          this.#tell({ kind: 'late' }),
        );
      case 'untimer':
        return this.#move?.stop();
      case 'report':
        return this.#report(effect, moves);
    }
  }

  #dial(moves: RelaySettings): void {
    this.#move ??= new Move(null);
    const move = this.#move;
    move.dialling = moves.source.dial(move.to, opened => {
      move.dialling = null;
      if (typeof opened === 'string') return this.#tell({ kind: 'refused', why: opened });
      move.opened = opened;
      move.leg = new Leg(this, opened.socket, opened.rest, opened.cooperative, moves.holdBytes);
      this.#tell({ kind: 'opened' });
    });
  }

  #sayLeave(): void {
    const { socket, cooperative } = this.#leg;
    if (socket.writableEnded) return;
    socket.write(
      cooperative ? maskedPing(DRAIN_NOTICE, this.#random) : maskedCloseFrame(SERVICE_RESTART, this.#random),
    );
  }

  #switch(moves: RelaySettings): void {
    const move = this.#move!;
    const left = this.#leg;
    const leg = move.leg!;
    move.leg = null;
    this.#leg = leg;
    this.#pair.join(leg.socket);
    if (left.cooperative && !left.socket.writableEnded)
      left.socket.write(maskedCloseFrame(this.#out.frames.closing ? NORMAL : SERVICE_RESTART, this.#random));
    left.leave(this.#clock);
    this.#out.begin();
    moves.source.switched(move.opened!);
    leg.use();
    if (this.#pair.ending || leg.socket.destroyed) return;
    this.#in.release(leg.socket);
    if (this.#client.writableNeedDrain) leg.socket.pause();
  }

  #abandon(): void {
    this.#pair.blame('backend_lost', this.#state.why || 'the backend was lost');
    this.#finish(SERVICE_RESTART, true);
    this.#leg.cut();
    this.#pair.backendClosed(this.#leg.socket, '');
  }

  #report({ result, holdMs, why }: MoveEffect & { do: 'report' }, moves: RelaySettings): void {
    const move = this.#move;
    this.#move = null;
    move?.stop();
    moves.source.settled();
    const opened = result === 'failed' ? null : move!.opened;
    const to = opened?.backend ?? move?.to ?? '';
    this.#onMoved?.({ result, to, holdMs, why }, opened?.slot ?? -1);
  }
}

const closed = (why: string, closing: boolean): MoveEvent =>
  closing ? { kind: 'closed', between: true } : { kind: 'fixed', why };
