// Notices that a counter which ought to move stands still.

export class Stall {
  #value = -1;
  #movedMs: number;

  constructor(nowMs: number) {
    this.#movedMs = nowMs;
  }

  reset(nowMs: number): void {
    this.#movedMs = nowMs;
  }

  /** How long `value` has stood still; 0 while nothing is awaited. */
  quietMs(value: number, awaited: boolean, nowMs: number): number {
    if (!awaited || value !== this.#value) {
      this.#value = value;
      this.#movedMs = nowMs;
      return 0;
    }
    return nowMs - this.#movedMs;
  }
}
