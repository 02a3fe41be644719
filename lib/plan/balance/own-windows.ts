// What a proxy sees of a backend by itself, in windows: its own requests there on average, and their answers per second.
//
// All that is known of a backend that reports nothing. With one proxy it is the whole truth; with many it is a sample. The
// workers of a proxy see each other's requests as a count, so the mean is of all that are there. How long answers take is
// measured and not inferred from that mean: one request that stays for an hour would else make all look slow.

const WINDOW_MS = 500;
/** Fewer answers are no window yet. */
const LEAST_ANSWERS = 5;

export class OwnWindows {
  /** Of the window closed last. */
  meanInFlight = 0;
  perSecond = 0;
  tookMs = 0;
  readonly #fromMs: Float64Array;
  readonly #changedMs: Float64Array;
  readonly #inFlightMs: Float64Array;
  readonly #totalMs: Float64Array;
  readonly #inFlight: Int32Array;
  readonly #total: Int32Array;
  readonly #answers: Int32Array;
  readonly #tookMs: Float64Array;

  constructor(slots: number) {
    this.#fromMs = new Float64Array(slots);
    this.#changedMs = new Float64Array(slots);
    this.#inFlightMs = new Float64Array(slots);
    this.#totalMs = new Float64Array(slots);
    this.#inFlight = new Int32Array(slots);
    this.#total = new Int32Array(slots);
    this.#answers = new Int32Array(slots);
    this.#tookMs = new Float64Array(slots);
  }

  inFlight(slot: number): number {
    return this.#inFlight[slot]!;
  }

  /** `total` is what all workers have there now, this request included. */
  started(slot: number, nowMs: number, total: number): void {
    this.#advance(slot, nowMs, total);
    this.#inFlight[slot]! += 1;
  }

  /** `total` is without this request. True when that closed a window; its figures are in the fields. */
  answered(slot: number, nowMs: number, total: number, tookMs: number): boolean {
    this.#leave(slot, nowMs, total);
    this.#answers[slot]! += 1;
    this.#tookMs[slot]! += tookMs;
    const elapsedMs = nowMs - this.#fromMs[slot]!;
    if (elapsedMs < WINDOW_MS || this.#answers[slot]! < LEAST_ANSWERS) return false;
    const answers = this.#answers[slot]!;
    this.meanInFlight = Math.max(this.#totalMs[slot]!, this.#inFlightMs[slot]!) / elapsedMs;
    this.perSecond = (1000 * answers) / elapsedMs;
    this.tookMs = this.#tookMs[slot]! / answers;
    this.#fromMs[slot] = nowMs;
    this.#inFlightMs[slot] = 0;
    this.#totalMs[slot] = 0;
    this.#answers[slot] = 0;
    this.#tookMs[slot] = 0;
    return true;
  }

  /** One that was there for `tookMs` and got no answer, or a wrong one: it says nothing of how long answers take. */
  unanswered(slot: number, nowMs: number, total: number, tookMs: number): void {
    this.#leave(slot, nowMs, total);
    const hereMs = Math.min(tookMs, nowMs - this.#fromMs[slot]!);
    this.#inFlightMs[slot] = Math.max(0, this.#inFlightMs[slot]! - hereMs);
    this.#totalMs[slot] = Math.max(0, this.#totalMs[slot]! - hereMs);
  }

  /** Nothing is in flight there. */
  forget(slot: number, nowMs: number): void {
    this.#fromMs[slot] = nowMs;
    this.#changedMs[slot] = nowMs;
    this.#inFlightMs[slot] = 0;
    this.#totalMs[slot] = 0;
    this.#inFlight[slot] = 0;
    this.#total[slot] = 0;
    this.#answers[slot] = 0;
    this.#tookMs[slot] = 0;
  }

  #leave(slot: number, nowMs: number, total: number): void {
    this.#advance(slot, nowMs, total);
    this.#inFlight[slot] = Math.max(0, this.#inFlight[slot]! - 1);
  }

  #advance(slot: number, nowMs: number, total: number): void {
    const sinceMs = nowMs - this.#changedMs[slot]!;
    this.#inFlightMs[slot]! += this.#inFlight[slot]! * sinceMs;
    this.#totalMs[slot]! += this.#total[slot]! * sinceMs;
    this.#changedMs[slot] = nowMs;
    this.#total[slot] = total;
  }
}
