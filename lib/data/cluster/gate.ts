// The gate as a veto: who is foreseen to be full takes new work only when nobody better does.

import type { ExplainingPicker, Explanation, PickRequest } from '../../plan/balance/picker.ts';
import type { DecisionReader } from '../../scoreboard/ports.ts';

/** Open in the pool, open outside it, last resort, shut: the gate counts for more than the pool. */
const Level = { open: 0, outside: 1, lastResort: 2, shut: 3 } as const;

/** What is older is no forecast any more: nobody lifts the gate of a control plane that is gone, so it ends by itself. */
const FORECAST_HOLDS_MS = 2_000;

export class Gate implements PickRequest {
  readonly #decisions: DecisionReader;
  #request: PickRequest = { key: 0, accepts: () => false };
  #level: number = Level.shut;
  #least: number = Level.open;

  constructor(decisions: DecisionReader) {
    this.#decisions = decisions;
  }

  /** Some of these slots are gated and others less: the gate has a say. */
  divides(slots: Iterable<number>): boolean {
    let least: number = Level.shut;
    let most: number = Level.open;
    for (const slot of slots) {
      const level = this.#judged(slot);
      least = Math.min(least, level);
      most = Math.max(most, level);
    }
    this.#least = least;
    return least < most;
  }

  /** Of those last looked at the best may take work, and those outside the pool when nobody inside can. */
  allows(slot: number): boolean {
    return this.levelOf(slot) <= Math.max(this.#least, Level.outside);
  }

  get holds(): boolean {
    return this.#decisions.ageMs() <= FORECAST_HOLDS_MS;
  }

  /** The lower, the sooner it gets work. */
  levelOf(slot: number): number {
    return this.holds ? this.#judged(slot) : Level.open;
  }

  /** Picks among those that are least gated: the open ones, where there are any. */
  pick(picker: { pick(request: PickRequest): number }, request: PickRequest): number {
    this.#request = request;
    this.#level = this.#least;
    const slot = picker.pick(this);
    if (slot >= 0 || this.#least !== Level.open) return slot;
    this.#level = Level.outside;
    return picker.pick(this);
  }

  explain(picker: ExplainingPicker, request: PickRequest): Explanation {
    this.#request = request;
    for (this.#level = Level.open; this.#level < Level.shut; this.#level++) {
      const explanation = picker.explain(this);
      if (explanation.standings.some(({ accepted }) => accepted)) return this.#explained(explanation);
    }
    return picker.explain(request);
  }

  #explained(explanation: Explanation): Explanation {
    const { rule } = explanation;
    if (this.#level === Level.outside && this.#least === Level.open)
      return { ...explanation, rule: `${rule}; the pool has no room` };
    if (this.#level > this.#least)
      return { ...explanation, rule: 'one of the least loaded quarter of the gated, as no other has room' };
    const others = explanation.standings.filter(
      ({ candidate }) => this.#judged(candidate.slot) > this.#level,
    );
    const gated = others.some(({ candidate }) => this.#decisions.gated(candidate.slot));
    const outside = others.some(({ candidate }) => this.#judged(candidate.slot) === Level.outside);
    const why = [gated ? 'gated' : '', outside ? 'outside the pool' : ''].filter(word => word !== '');
    return { ...explanation, rule: `${rule}; others are ${why.join(' or ')}` };
  }

  #judged(slot: number): number {
    const gate = this.#decisions.gate(slot);
    if (gate > 0) return gate + 1;
    return this.#decisions.outside(slot) ? Level.outside : Level.open;
  }

  get key(): number {
    return this.#request.key;
  }

  accepts(slot: number): boolean {
    return this.#judged(slot) <= this.#level && this.#request.accepts(slot);
  }
}
