// Leases that no connection holds: which fraction of a backend's leaves, and how long the next terms are. Published, never looked up.

import type { ClusterConfig } from '../../config/cluster.ts';
import { firstTerm, stepTerm, type TermState } from '../../plan/lease/terms.ts';
import {
  NO_SHED,
  nextTurn,
  SHED_DEFAULTS,
  type ShedState,
  stepDrain,
  stepShed,
} from '../../plan/session/shed.ts';
import type { DecisionRing } from './decision-ring.ts';
import type { Seat } from './ports.ts';

/** What goes to the scoreboard of one backend. */
export interface LeaseOutlook {
  /** Of 65,536: leases whose hash is below leave at their next request. */
  readonly shedFraction: number;
  readonly shedTurn: number;
  /** Term of the leases granted on it; 0 for the cluster's own. */
  readonly leaseMs: number;
}

const WHOLE = 65_536;
/** Below this share of `under` it is calm. */
const CALM_SHARE = 0.6;

/** Who comes again within this time of the deadline comes to another backend. */
const DRAIN_RESERVE_MS = 10_000;
/** Sessions that ask for nothing for so long make no wave, and an operator need not wait for them. */
const QUIET_MS = 5_000;

interface Known {
  readonly slotGeneration: number;
  shed: ShedState;
  /** What would be shed, or is: the outcome of its records. */
  told: number;
  /** Its sessions leave because it does, whatever its load. */
  drains: boolean;
  /** While it drains: what it had been sent, and since when no more has come. */
  requests: number;
  quietSinceMs: number;
  term: TermState;
}

export interface LeaseHands {
  readonly ring: DecisionRing;
  wallMs(): number;
}

export class CookieLeases {
  readonly #cluster: string;
  readonly #hands: LeaseHands;
  readonly #known = new Map<number, Known>();
  #config: ClusterConfig;
  #lastMs = Number.NaN;

  constructor(cluster: string, config: ClusterConfig, hands: LeaseHands) {
    this.#cluster = cluster;
    this.#config = config;
    this.#hands = hands;
  }

  configure(config: ClusterConfig): void {
    this.#config = config;
  }

  /** Share of its HTTP sessions that is to leave, and the term of new leases; for operators. */
  of(slot: number): { readonly shed: number; readonly termMs: number | null } {
    const known = this.#known.get(slot);
    return { shed: known?.shed.fraction ?? 0, termMs: known?.term.termMs ?? null };
  }

  /** Of a backend that drains: share of its HTTP sessions that still comes. */
  stayingOn(slot: number): number | null {
    const known = this.#known.get(slot);
    return known?.drains ? 1 - known.shed.fraction : null;
  }

  /** Once a tick, by slot what is to be published; backends that are not named have nothing to say. */
  tick(seats: readonly Seat[], nowMs: number, frozen: boolean): ReadonlyMap<number, LeaseOutlook> {
    const passedMs = Number.isNaN(this.#lastMs) ? 0 : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const outlooks = new Map<number, LeaseOutlook>();
    const { sticky, migration } = this.#config;
    const shadow = migration.mode === 'shadow';
    if (sticky === undefined) {
      this.#known.clear();
      return outlooks;
    }
    const here = new Set(seats.map(({ slot }) => slot));
    for (const slot of this.#known.keys()) if (!here.has(slot)) this.#known.delete(slot);
    const taking = seats.filter(({ state, takesNew }) => state === 'up' && takesNew);
    for (const seat of seats) {
      if (seat.state === 'gone') continue;
      const known = this.#meet(seat, sticky.term);
      this.#term(seat, known, nowMs, frozen);
      if (this.#drain(seat, known, nowMs, passedMs)) {
        // Static leases heed no fraction: it is how long they are waited for.
      } else if (sticky.type === 'static') known.shed = NO_SHED;
      else this.#shed(seat, known, taking, { nowMs, passedMs, frozen, shadow });
      outlooks.set(seat.slot, {
        shedFraction: (shadow || frozen) && !known.drains ? 0 : Math.round(known.shed.fraction * WHOLE),
        shedTurn: known.shed.turn,
        leaseMs: shadow ? 0 : Math.round(known.term.termMs),
      });
    }
    return outlooks;
  }

  #meet({ slot, slotGeneration }: Seat, baseMs: number): Known {
    const before = this.#known.get(slot);
    if (before?.slotGeneration === slotGeneration) return before;
    const known: Known = {
      slotGeneration,
      shed: NO_SHED,
      told: 0,
      drains: false,
      requests: 0,
      quietSinceMs: 0,
      term: firstTerm(baseMs),
    };
    this.#known.set(slot, known);
    return known;
  }

  #term({ id, state, predicted }: Seat, known: Known, nowMs: number, frozen: boolean): void {
    const { sticky, migration } = this.#config;
    const before = known.term;
    // Who is frozen promises nothing new, and still takes back what an overload makes unwise.
    const foreseen = state === 'up' ? predicted : Number.NaN;
    const calm = frozen ? Number.NEGATIVE_INFINITY : CALM_SHARE * migration.under;
    known.term = stepTerm(before, foreseen, nowMs, {
      ...{ baseMs: sticky!.term, maxMs: Math.max(sticky!.term, sticky!.max) },
      ...{ calm, busy: migration.under },
    });
    if (known.term.termMs === before.termMs) return;
    const longer = known.term.termMs > before.termMs;
    this.#note(id, {
      ...{ kind: 'extension', reason: longer ? 'calm' : 'busy', level: predicted },
      outcome: migration.mode === 'shadow' ? 'shadow' : 'done',
      detail: `terms of ${known.term.termMs / 1000} s in place of ${before.termMs / 1000} s`,
    });
  }

  /** Evenly over the time that a drain has, or at once from who is asked for nothing; false when there is none. */
  #drain(seat: Seat, known: Known, nowMs: number, passedMs: number): boolean {
    const { id, state, predicted, drainUntilMs, requests } = seat;
    const drains = state === 'draining';
    const begins = drains && !known.drains;
    // An undrain leaves the rest where it is.
    if (known.drains && !drains) known.shed = nextTurn(known.shed);
    known.drains = drains;
    if (!drains) return false;
    if (begins || requests !== known.requests) known.quietSinceMs = nowMs;
    known.requests = requests;
    const stays = this.#config.sticky!.type === 'static';
    // An agent that drains its backend names no time: at once.
    const untilMs = (drainUntilMs ?? 0) - this.#hands.wallMs() - (stays ? 0 : DRAIN_RESERVE_MS);
    const leftMs = nowMs - known.quietSinceMs < QUIET_MS ? untilMs : 0;
    known.shed = stepDrain(known.shed, leftMs, passedMs);
    const { fraction } = known.shed;
    if (!begins && (fraction < 1 || known.told === 1)) return true;
    known.told = fraction;
    this.#note(id, {
      ...{ kind: 'shed', reason: 'drain', level: predicted, outcome: 'done' },
      detail: begins
        ? `its HTTP sessions ${stays ? 'stay for' : 'leave evenly in'} ${Math.max(0, leftMs / 1000).toFixed(0)} s`
        : 'all of its HTTP sessions leave at their next request',
    });
    return true;
  }

  #shed(
    seat: Seat,
    known: Known,
    taking: readonly Seat[],
    at: {
      readonly nowMs: number;
      readonly passedMs: number;
      readonly frozen: boolean;
      readonly shadow: boolean;
    },
  ): void {
    const { migration } = this.#config;
    const { over, under } = migration;
    const others = taking.filter(({ slot, predicted }) => slot !== seat.slot && !Number.isNaN(predicted));
    const mean = others.reduce((sum, { predicted }) => sum + predicted, 0) / Math.max(1, others.length);
    const before = known.shed;
    const view = {
      // Nothing is begun while frozen, and what was begun ends.
      ahead: seat.state === 'up' && !at.frozen ? seat.predicted : Number.NaN,
      others: mean,
      count: others.length,
    };
    known.shed = stepShed(before, view, at.nowMs, at.passedMs, {
      ...SHED_DEFAULTS,
      ...{ over, under, fullAt: under + 0.7 * (over - under), perSecond: migration.shed },
    });
    const { fraction } = known.shed;
    const outcome = at.shadow ? 'shadow' : 'done';
    if (fraction === 0 && known.told > 0) {
      known.told = 0;
      this.#note(seat.id, {
        ...{ kind: 'shed', reason: 'relief', level: seat.predicted, outcome },
        detail: 'no more of its HTTP sessions leave',
      });
    } else if (fraction > 0 && (known.told === 0 || fraction - known.told >= 0.05)) {
      known.told = fraction;
      this.#note(seat.id, {
        ...{
          kind: 'shed',
          reason: seat.load > over ? 'overload' : 'forecast',
          level: seat.predicted,
          outcome,
        },
        detail: `${(100 * fraction).toFixed(1)} % of its HTTP sessions leave at their next request`,
      });
    }
  }

  #note(
    from: string,
    told: {
      readonly kind: 'extension' | 'shed';
      readonly reason: 'calm' | 'busy' | 'relief' | 'overload' | 'forecast' | 'drain';
      readonly level: number;
      readonly outcome: 'shadow' | 'done';
      readonly detail: string;
    },
  ): void {
    const { level, ...rest } = told;
    this.#hands.ring.add({
      ...{ atMs: this.#hands.wallMs(), cluster: this.#cluster, session: null, from, to: null },
      ...{ fromLevel: Number.isNaN(level) ? null : level, toLevel: null, holdMs: null },
      ...rest,
    });
  }
}
