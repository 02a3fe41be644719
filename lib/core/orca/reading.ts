// What was taken from one load report: a value for each kind that it named. Made once and used for every report.

import { SIGNAL_KINDS, SIGNAL_LIMITS, type SignalKind } from '../signal-kinds.ts';

const LIMITS = SIGNAL_KINDS.map(kind => SIGNAL_LIMITS[kind]);

export class LoadReading {
  /** By the place of the kind in SIGNAL_KINDS; what `mask` does not name is left over from before. */
  readonly values = new Float64Array(SIGNAL_KINDS.length);
  /** Bit n: the nth kind was reported. */
  mask = 0;
  /** Values that were no load: not a number, negative, absurd, said twice, or under a name that ORCA does not have. */
  refused = 0;

  clear(): void {
    this.mask = 0;
    this.refused = 0;
  }

  /** Takes the value, or counts it as refused; the first of two stands. */
  take(index: number, value: number): void {
    const bit = 1 << index;
    // Written so that NaN fails as well.
    if ((this.mask & bit) !== 0 || !(value >= 0 && value <= LIMITS[index]!)) this.refused += 1;
    else {
      this.mask |= bit;
      this.values[index] = value;
    }
  }

  has(index: number): boolean {
    return (this.mask & (1 << index)) !== 0;
  }

  /** NaN where nothing was said. */
  get(kind: SignalKind): number {
    const index = SIGNAL_KINDS.indexOf(kind);
    return this.has(index) ? this.values[index]! : Number.NaN;
  }
}
