// The gate as a veto: who is foreseen to be full takes new work only when nobody better does.

import type { ExplainingPicker, Explanation, PickRequest } from '../../plan/balance/picker.ts';
import type { DecisionReader } from '../../scoreboard/ports.ts';

/** Levels of the gate: open, last resort, shut. */
const SHUT = 2;

/** What is older is no forecast any more: nobody lifts the gate of a control plane that is gone, so it ends by itself. */
const FORECAST_HOLDS_MS = 2_000;

export class Gate implements PickRequest {
  readonly #decisions: DecisionReader;
  #request: PickRequest = { key: 0, accepts: () => false };
  #level = SHUT;
  #least = 0;

  constructor(decisions: DecisionReader) {
    this.#decisions = decisions;
  }

  /** Some of these slots are gated and others less: the gate has a say. */
  divides(slots: Iterable<number>): boolean {
    let least = SHUT;
    let most = 0;
    for (const slot of slots) {
      const level = this.#decisions.gate(slot);
      least = Math.min(least, level);
      most = Math.max(most, level);
    }
    this.#least = least;
    return least < most;
  }

  /** The lowest level among those last looked at. */
  get least(): number {
    return this.#least;
  }

  get holds(): boolean {
    return this.#decisions.ageMs() <= FORECAST_HOLDS_MS;
  }

  /** 0 open, 1 last resort, 2 shut. */
  levelOf(slot: number): number {
    return this.holds ? this.#decisions.gate(slot) : 0;
  }

  /** Picks among those that are least gated: the open ones, where there are any. */
  pick(picker: { pick(request: PickRequest): number }, request: PickRequest): number {
    this.#request = request;
    this.#level = this.#least;
    return picker.pick(this);
  }

  explain(picker: ExplainingPicker, request: PickRequest): Explanation {
    this.#request = request;
    for (this.#level = 0; this.#level < SHUT; this.#level++) {
      const explanation = picker.explain(this);
      if (explanation.standings.some(({ accepted }) => accepted))
        return this.#level === this.#least
          ? { ...explanation, rule: `${explanation.rule}; others are gated` }
          : { ...explanation, rule: 'one of the least loaded quarter of the gated, as no other has room' };
    }
    return picker.explain(request);
  }

  get key(): number {
    return this.#request.key;
  }

  accepts(slot: number): boolean {
    return this.#decisions.gate(slot) <= this.#level && this.#request.accepts(slot);
  }
}
