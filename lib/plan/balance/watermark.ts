// At which memory level a backend pauses (garbage collection, compaction), learnt from pauses past; and how near that is.
//
// Memory that rises and then falls by a third at once is a sawtooth, and the last level before the fall its trigger. Whether
// the fall comes with a pause is learnt too: most collectors work beside the program and harm nobody.

/** A fall by this share of the level is a collection. */
const FALL = 0.3;
/** A pause this long before or after the fall belongs to it. */
const BELONGS_MS = 2_500;
/** Share of the newest in trigger, slope and how often a fall paused. */
const NEWEST = 0.3;
/** Falls until something is believed, and the share of them that paused: a short pause is easily missed. */
const FALLS = 2;
const HARMFUL = 0.3;
/** Levels at falls differ by so many mean deviations at most, mostly. */
const DEVIATIONS = 2;
/** Nobody is kept out longer for a pause that does not come: without work some never reach their trigger. */
const LONGEST_MS = 8_000;

export class Watermark {
  #level = Number.NaN;
  #atMs = Number.NEGATIVE_INFINITY;
  /** Per ms. */
  #slope = 0;
  #trigger = Number.NaN;
  #deviation = 0;
  #falls = 0;
  #harm = 0;
  #pausedMs = Number.NEGATIVE_INFINITY;
  #fellMs = Number.NEGATIVE_INFINITY;
  /** The last fall waits for its pause until it is told; with nobody there it may have had one that nobody met. */
  #judged = true;
  #unseen = false;
  #nearSinceMs = Number.NaN;

  /** The backend stands still now. */
  paused(nowMs: number): void {
    this.#pausedMs = nowMs;
  }

  /** A sample older than the newest, or the same again, changes nothing. */
  sample(level: number, measuredMs: number): void {
    const elapsedMs = measuredMs - this.#atMs;
    if (elapsedMs <= 1) return;
    this.#judgeFall(measuredMs);
    if (level < this.#level * (1 - FALL)) this.#fell(elapsedMs, measuredMs);
    else if (level > this.#level && Number.isNaN(this.#nearSinceMs)) {
      const slope = (level - this.#level) / elapsedMs;
      this.#slope = this.#slope === 0 ? slope : this.#slope + NEWEST * (slope - this.#slope);
    }
    this.#level = level;
    this.#atMs = measuredMs;
  }

  /** The level will have reached the trigger within `aheadMs`, as far as can be told. */
  near(nowMs: number, aheadMs: number): boolean {
    if (this.#falls < FALLS || this.#harm < HARMFUL) return false;
    const level = this.#level + this.#slope * (nowMs - this.#atMs + aheadMs);
    const waiting = !Number.isNaN(this.#nearSinceMs);
    if (!waiting && level < this.#trigger - DEVIATIONS * this.#deviation) return false;
    if (!waiting) this.#nearSinceMs = nowMs;
    return nowMs - this.#nearSinceMs < LONGEST_MS;
  }

  #fell(elapsedMs: number, measuredMs: number): void {
    // It lay between the last sample and what the slope would have made of it; half-way is no worse on average.
    const peak = this.#level + (this.#slope * elapsedMs) / 2;
    const first = Number.isNaN(this.#trigger);
    const off = first ? 0 : peak - this.#trigger;
    this.#trigger = first ? peak : this.#trigger + NEWEST * off;
    this.#deviation += NEWEST * (Math.abs(off) - this.#deviation);
    this.#fellMs = measuredMs;
    this.#judged = false;
    this.#unseen = !Number.isNaN(this.#nearSinceMs);
    this.#nearSinceMs = Number.NaN;
  }

  /** Once what came after the fall is known. */
  #judgeFall(nowMs: number): void {
    if (this.#judged || nowMs - this.#fellMs < BELONGS_MS) return;
    this.#judged = true;
    this.#falls += 1;
    const paused = Math.abs(this.#pausedMs - this.#fellMs) <= BELONGS_MS ? 1 : 0;
    if (paused === 0 && this.#unseen) return;
    this.#harm += Math.max(NEWEST, 1 / this.#falls) * (paused - this.#harm);
  }
}
