// The overload handler of one proxy: limits per server, and the line in front of them, by the classes of plan/overload.

import type { Clock } from '../../core/clock.ts';
import type { ShedReason } from '../../core/priority.ts';
import type { PickRequest } from '../../plan/balance/picker.ts';
import { GradientLimiter } from '../../plan/overload/gradient.ts';
import {
  fixedLimit,
  freshLimit,
  type Limiter,
  type LimitState,
  type LimitWindow,
  placesOf,
} from '../../plan/overload/limiter.ts';
import { ANY_BACKEND, type Ticket, type Waiter, WaitingLine } from '../../plan/overload/line.ts';
import type { LimitsConfig } from '../scenario/schema.ts';

export interface DoorHost {
  /** The server that takes it, -1 for none; counts it in. */
  place(request: PickRequest): number;
  /** It may go now. */
  sent(row: number, slot: number): void;
  refused(row: number): void;
}

/** As `limits.concurrency: auto` in a cluster. */
const AUTO = { initial: 20, min: 4, max: 1000, tolerance: 1.5, remeasureMs: 10_000 };

interface Seen extends LimitWindow {
  sinceMs: number;
}

export class Door implements PickRequest {
  readonly key = 0;
  readonly #clock: Clock;
  readonly #host: DoorHost;
  readonly #limiter: Limiter;
  readonly #states: LimitState[];
  readonly #seen: Seen[];
  readonly #taken: Int32Array;
  readonly #line: WaitingLine;
  readonly #timeoutMs: number;
  readonly #tickets = new Map<number, Ticket>();

  constructor(slots: number, clock: Clock, limits: LimitsConfig, host: DoorHost) {
    const { concurrency, queue, queue_timeout, order, target, interval } = limits;
    this.#clock = clock;
    this.#host = host;
    this.#limiter = concurrency === 'auto' ? new GradientLimiter(AUTO) : fixedLimit(concurrency);
    this.#states = Array.from({ length: slots }, () => freshLimit(this.#limiter));
    this.#seen = Array.from({ length: slots }, () => ({ ...NOTHING, sinceMs: 0 }));
    this.#taken = new Int32Array(slots);
    this.#line = new WaitingLine({ capacity: queue, order, targetMs: target, intervalMs: interval });
    this.#timeoutMs = queue_timeout;
  }

  /** In force at a server. */
  limit(slot: number): number {
    return placesOf(this.#states[slot]!);
  }

  accepts(slot: number): boolean {
    return this.#taken[slot]! < this.limit(slot);
  }

  /** Sent, in line or refused: the host hears of it, at once or later. */
  admit(row: number): void {
    const nowMs = this.#clock.monotonicMs();
    const line = this.#line;
    if (line.length > 0 && !line.mayOvertake(NORMAL, nowMs)) line.wake(nowMs);
    if (this.#send(row)) return line.overtook(NORMAL);
    const waiter: Waiter = {
      priority: NORMAL,
      waitsFor: ANY_BACKEND,
      wake: () => this.#send(row),
      shed: (_reason: ShedReason) => this.#refuse(row),
    };
    const ticket = line.join(waiter, nowMs);
    if (ticket === null) return this.#host.refused(row);
    this.#tickets.set(row, ticket);
    this.#clock.after(this.#timeoutMs, () => {
      if (this.#tickets.get(row) !== ticket) return;
      line.leave(ticket);
      this.#refuse(row);
    });
  }

  /** Its client gave up. */
  leave(row: number): void {
    this.#line.leave(this.#tickets.get(row)!);
    this.#tickets.delete(row);
  }

  /** `latencyMs` of a good answer; below 0 when the request was cancelled. */
  freed(slot: number, failed: boolean, latencyMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen[slot]!;
    this.#taken[slot]! -= 1;
    if (failed) seen.pushedBack += 1;
    else if (latencyMs >= 0) {
      seen.good += 1;
      seen.latencySumMs += latencyMs;
    }
    seen.elapsedMs = nowMs - seen.sinceMs;
    if (this.#limiter.step(this.#states[slot]!, seen)) Object.assign(seen, NOTHING, { sinceMs: nowMs });
    this.#line.wake(nowMs);
  }

  #send(row: number): boolean {
    const slot = this.#host.place(this);
    if (slot < 0) return false;
    this.#taken[slot]! += 1;
    this.#tickets.delete(row);
    this.#host.sent(row, slot);
    return true;
  }

  #refuse(row: number): void {
    this.#tickets.delete(row);
    this.#host.refused(row);
  }
}

const NORMAL = 1;
const NOTHING: LimitWindow = { elapsedMs: 0, good: 0, latencySumMs: 0, pushedBack: 0 };
