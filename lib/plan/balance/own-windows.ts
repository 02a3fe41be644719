// What a proxy sees of a backend by itself, in windows: its own requests there on average, and their answers per second.
//
// All that is known of a backend that reports nothing. With one proxy it is the whole truth; with many it is a sample.

const WINDOW_MS = 500;
/** Fewer answers are no window yet. */
const LEAST_ANSWERS = 5;

export class OwnWindows {
  /** Of the window closed last. */
  meanInFlight = 0;
  perSecond = 0;
  readonly #fromMs: Float64Array;
  readonly #changedMs: Float64Array;
  readonly #inFlightMs: Float64Array;
  readonly #inFlight: Int32Array;
  readonly #answers: Int32Array;

  constructor(slots: number) {
    this.#fromMs = new Float64Array(slots);
    this.#changedMs = new Float64Array(slots);
    this.#inFlightMs = new Float64Array(slots);
    this.#inFlight = new Int32Array(slots);
    this.#answers = new Int32Array(slots);
  }

  started(slot: number, nowMs: number): void {
    this.#advance(slot, nowMs);
    this.#inFlight[slot]! += 1;
  }

  /** True when that closed a window; its figures are in the fields. */
  finished(slot: number, nowMs: number): boolean {
    this.#advance(slot, nowMs);
    this.#inFlight[slot] = Math.max(0, this.#inFlight[slot]! - 1);
    this.#answers[slot]! += 1;
    const elapsedMs = nowMs - this.#fromMs[slot]!;
    if (elapsedMs < WINDOW_MS || this.#answers[slot]! < LEAST_ANSWERS) return false;
    this.meanInFlight = this.#inFlightMs[slot]! / elapsedMs;
    this.perSecond = (1000 * this.#answers[slot]!) / elapsedMs;
    this.#fromMs[slot] = nowMs;
    this.#inFlightMs[slot] = 0;
    this.#answers[slot] = 0;
    return true;
  }

  #advance(slot: number, nowMs: number): void {
    this.#inFlightMs[slot]! += this.#inFlight[slot]! * (nowMs - this.#changedMs[slot]!);
    this.#changedMs[slot] = nowMs;
  }
}
