// What one cluster learns in this worker: a strategy that outlives its pickers, and the seats of the backends in it.
//
//   Cluster ── candidates by slot ──► Learning ── candidates by seat ──► Strategy ──► Picker
//   Attempt ── started, finished ───► Seat ─────────────────────────────► Learner
//   Probes  ◄─ whom to ask ────────── Learning ◄───────────────────────── Prober
//
// A strategy speaks of seats where the scoreboard speaks of slots; here one is turned into the other.

import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Learner, LoadReport, Prober, Strategy } from '../../plan/balance/learner.ts';
import type {
  Candidate,
  ExplainingPicker,
  Explanation,
  LoadView,
  PickRequest,
} from '../../plan/balance/picker.ts';
import { type LearningOptions, learningStrategy } from '../../plan/balance/strategies.ts';
import type { DecisionReader } from '../../scoreboard/ports.ts';
import { Seat } from './seat.ts';

/** Seats of the smallest cluster; a larger one has twice as many as backends when it begins to learn. */
const LEAST_SEATS = 16;

export interface LearningTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly decisions: DecisionReader;
}

interface Owner {
  readonly slot: number;
  readonly slotGeneration: number;
}

export class Learning implements LoadView, PickRequest, ExplainingPicker {
  readonly #key: string;
  readonly #decisions: DecisionReader;
  readonly #strategy: Strategy<ExplainingPicker>;
  readonly #learner: Learner;
  readonly #slots: Int32Array;
  /** Seats nobody has, the next to be taken last. */
  readonly #free: number[];
  readonly #bySlot = new Map<number, Seat>();
  #picker: ExplainingPicker;
  #request: PickRequest = { key: 0, accepts: () => false };

  /** For at least `backends` of them. */
  constructor(options: LearningOptions, backends: number, { clock, random, decisions }: LearningTools) {
    this.#key = keyOf(options);
    this.#decisions = decisions;
    const seats = Math.max(LEAST_SEATS, 2 * backends);
    this.#slots = new Int32Array(seats);
    this.#free = Array.from({ length: seats }, (_, i) => seats - 1 - i);
    // The workers share the scoreboard and so see each other's requests: they are one proxy.
    this.#strategy = learningStrategy(options)({
      ...{ slots: seats, view: this, controlAgeMs: () => decisions.ageMs(), clock, random, proxies: 1 },
    });
    this.#learner = this.#strategy.learner!;
    this.#picker = this.#strategy.picker([]);
  }

  /** What was learnt under other options is of no use under these. */
  fits(options: LearningOptions): boolean {
    return this.#key === keyOf(options);
  }

  /** Null when the policy sends no probes. */
  get prober(): Prober | null {
    return this.#strategy.prober;
  }

  /**
   * The seats of these backends from now on, by slot. Who had one under the same slot generation keeps it, with all that was learnt; who
   * is not named leaves. Null when there is no room for all: somebody must begin anew with more.
   */
  seat(owners: readonly Owner[]): ReadonlyMap<number, Seat> | null {
    const staying = new Map(owners.map(owner => [owner.slot, owner]));
    for (const seat of this.#bySlot.values()) {
      if (staying.get(seat.slot)?.slotGeneration === seat.slotGeneration) continue;
      this.#bySlot.delete(seat.slot);
      seat.leave();
    }
    for (const owner of owners) {
      if (this.#bySlot.has(owner.slot)) continue;
      const index = this.#free.pop();
      if (index === undefined) return null;
      this.#slots[index] = owner.slot;
      this.#bySlot.set(owner.slot, new Seat(index, owner, this.#learner, this.#emptied));
    }
    return this.#bySlot;
  }

  readonly #emptied = (seat: Seat): void => {
    this.#learner.forget(seat.index);
    this.#free.push(seat.index);
  };

  /** The candidates of the hour, by slot; all of them have a seat. */
  choose(candidates: readonly Candidate[]): void {
    const seated = candidates.map(candidate => ({
      ...candidate,
      slot: this.#bySlot.get(candidate.slot)!.index,
    }));
    this.#picker = this.#strategy.picker(seated);
  }

  /** The slot chosen, or -1. */
  pick(request: PickRequest): number {
    this.#request = request;
    const seat = this.#picker.pick(this);
    return seat < 0 ? -1 : this.#slots[seat]!;
  }

  explain(request: PickRequest): Explanation {
    this.#request = request;
    const { rule, choice, standings } = this.#picker.explain(this);
    return {
      rule,
      choice: choice < 0 ? -1 : this.#slots[choice]!,
      standings: standings.map(standing => ({
        ...standing,
        candidate: { ...standing.candidate, slot: this.#slots[standing.candidate.slot]! },
      })),
    };
  }

  /** The slot to probe now, or -1. */
  nextProbe(): number {
    const seat = this.#strategy.prober?.nextProbe() ?? -1;
    return seat < 0 ? -1 : this.#slots[seat]!;
  }

  /** What a backend answered to a probe, unless it has left meanwhile. */
  probed(slot: number, report: LoadReport): void {
    const seat = this.#bySlot.get(slot);
    if (seat !== undefined) this.#strategy.prober!.probed(seat.index, report);
  }

  // ── the strategy's side: seats ────────────────────────────────────────────────────────────────────────

  get key(): number {
    return this.#request.key;
  }

  accepts(seat: number): boolean {
    return this.#request.accepts(this.#slots[seat]!);
  }

  inFlight(seat: number): number {
    return this.#decisions.inFlight(this.#slots[seat]!);
  }

  latencyMs(seat: number): number {
    return this.#decisions.latencyMs(this.#slots[seat]!);
  }
}

const keyOf = (options: LearningOptions): string =>
  JSON.stringify([options.policy, options[options.policy], options.probe?.per_request]);
