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
    return least < most;
  }

  get holds(): boolean {
    return this.#decisions.ageMs() <= FORECAST_HOLDS_MS;
  }

  /** 0 open, 1 last resort, 2 shut. */
  levelOf(slot: number): number {
    return this.holds ? this.#decisions.gate(slot) : 0;
  }

  /** Picks among the open, then those of last resort, then all: rather one that will be busy than a failure or a wait now. */
  pick(picker: { pick(request: PickRequest): number }, request: PickRequest): number {
    this.#request = request;
    for (this.#level = 0; this.#level < SHUT; this.#level++) {
      const slot = picker.pick(this);
      if (slot >= 0) return slot;
    }
    return picker.pick(request);
  }

  explain(picker: ExplainingPicker, request: PickRequest): Explanation {
    this.#request = request;
    for (this.#level = 0; this.#level < SHUT; this.#level++) {
      const explanation = picker.explain(this);
      if (explanation.standings.some(({ accepted }) => accepted))
        return { ...explanation, rule: `${explanation.rule}; others are gated` };
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
