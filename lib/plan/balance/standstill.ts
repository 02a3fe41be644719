// Which backends have stopped answering, by this worker's own requests alone; and when to try one of them again.
//
// Of `own` requests, each expected to take E, own · gap / E answers should have come in the gap since the last; e^-6 is a silence
// that chance does not explain. The backend is suspected from then on, whatever is in flight there, until an answer comes in
// good time: one request at a time is sent as a trial. The first is due as soon as a pause that is over would allow it, a
// little later than what was stuck there took, and each further one three times as late: what stands still for long costs few.

/** Answers missing before a silent backend is suspected; and an answer is late that took so many times as long as it should. */
const MISSING = 6;
/** Until the first trial of one that answers nothing. */
const TRIAL_MS = 3_000;
/** Until the first trial of one that answers late, of what the last answer took. */
const AGAIN = 1.2;
const FURTHER = 3;
const LONGEST_MS = 30_000;
const MOST_TRIALS = 4;

export class Standstill {
  /** Last answer in good time, or the start of the first request since none was out; of a suspect the last answer. */
  readonly #movedMs: Float64Array;
  readonly #triedMs: Float64Array;
  /** 0 for who is not suspected, else 1 and the trials since. */
  readonly #suspected: Uint8Array;
  readonly #againMs: Float64Array;

  constructor(slots: number) {
    this.#movedMs = new Float64Array(slots);
    this.#triedMs = new Float64Array(slots);
    this.#suspected = new Uint8Array(slots);
    this.#againMs = new Float64Array(slots);
  }

  /** `own` are those in flight without this one. */
  started(slot: number, nowMs: number, own: number): void {
    if (own === 0) this.#movedMs[slot] = nowMs;
    this.#triedMs[slot] = nowMs;
    const suspected = this.#suspected[slot]!;
    if (suspected > 0 && suspected <= MOST_TRIALS) this.#suspected[slot] = suspected + 1;
  }

  isLate(latencyMs: number, expectedMs: number): boolean {
    return latencyMs > MISSING * expectedMs;
  }

  suspects(slot: number): boolean {
    return this.#suspected[slot] !== 0;
  }

  /**
   * A request ended after `latencyMs` that should have taken `expectedMs`: at a suspect without queues, since these are what stands
   * there. When that was late it is no sign that the backend moves again, only of how long it stood.
   */
  ended(slot: number, nowMs: number, latencyMs: number, expectedMs: number): void {
    const inTime = !this.isLate(latencyMs, expectedMs);
    const suspected = this.suspects(slot);
    if (inTime) this.#suspected[slot] = 0;
    else if (suspected) this.#againMs[slot] = Math.min(TRIAL_MS, AGAIN * latencyMs);
    if (inTime || suspected) this.#movedMs[slot] = nowMs;
  }

  /** `own` in flight, each expected to take `doneMs`. False for a suspect when a trial of it is due. */
  stands(slot: number, nowMs: number, own: number, doneMs: number): boolean {
    const suspected = this.#suspected[slot]!;
    if (suspected > 0) {
      const waitMs = Math.min(LONGEST_MS, this.#againMs[slot]! * FURTHER ** (suspected - 1));
      return nowMs - this.#triedMs[slot]! < waitMs;
    }
    if (own === 0 || own * this.silentMs(slot, nowMs) <= MISSING * doneMs) return false;
    this.#suspected[slot] = 1;
    this.#againMs[slot] = TRIAL_MS;
    return true;
  }

  silentMs(slot: number, nowMs: number): number {
    return nowMs - this.#movedMs[slot]!;
  }

  forget(slot: number): void {
    this.#movedMs[slot] = 0;
    this.#triedMs[slot] = 0;
    this.#suspected[slot] = 0;
    this.#againMs[slot] = 0;
  }
}
