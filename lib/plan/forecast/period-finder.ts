// Finds a period in the load, such as a job's, by autocorrelation kept up to date for every lag at once.

const MIN_PERIOD_BINS = 20;
/** Correlations are kept from here on: for the trough half a period before a peak, and for how long mere noise lasts. */
const MIN_LAG_BINS = 1;
export const MAX_PERIOD_BINS = 960;
/** The same for every lag: were it longer for long ones, the multiples of a job that stopped would outlive it. */
const MEMORY_BINS = 1800;
/** Least lag at which three cycles were seen is believed: fewer make every slow wave look like a period. */
const CYCLES = 3;
const CLIP = 3;
/** A correlation counts from so many standard errors on. */
const SIGMAS = 3.5;
/** Standard errors down to which a correlation still counts. */
const KEEP_SIGMAS = 2;
/** Short lags up to this one say how large those are. */
const NOISE_LAGS = 40;
/** Correlation to adopt a period, to keep it, and by how much a better one must lead. */
const ADOPT = 0.3;
const KEEP = 0.12;
const LEAD = 0.1;
/** Of several peaks of like height the shortest is the period, the others its multiples. */
const LIKE = 0.85;
const TROUGH = 0.5;
/** A peak that moves as more is seen is followed so many bins at a time. */
const MAX_CLIMB = 5;
const SCAN_EVERY_BINS = 10;
/** A known period is corrected when, over all that is remembered, it would slip by more than so many bins. */
const SLIP_BINS = 0.5;

/**
 * Each bin costs one multiplication per lag (960 of them, about 2 µs) and no Fourier transform is ever due. What is
 * correlated is the load less its five-minute average, scaled and clipped at three deviations.
 */
export class PeriodFinder {
  readonly #noiseLags: number;
  readonly #past = new Float32Array(MAX_PERIOD_BINS + 1);
  readonly #correlation = new Float32Array(MAX_PERIOD_BINS + 1);
  #bins = 0;
  #variance = 0;
  /** In bins, with a fraction; 0 while none is found. */
  period = 0;
  /** Autocorrelation at the period, for what explains. */
  strength = 0;

  /** With fewer lags than usual it is hastier. */
  constructor(noiseLags = NOISE_LAGS) {
    this.#noiseLags = noiseLags;
  }

  /** `deviation` of this bin's load from its slow average. True when the period was found, changed or lost. */
  add(deviation: number): boolean {
    this.#variance +=
      Math.max(1 / (this.#bins + 1), 1 / MEMORY_BINS) * (deviation * deviation - this.#variance);
    const scaled = Math.max(-CLIP, Math.min(CLIP, deviation / Math.sqrt(Math.max(this.#variance, 1e-9))));
    const past = this.#past;
    const size = past.length;
    const head = this.#bins % size;
    past[head] = scaled;
    const last = Math.min(this.#bins, MAX_PERIOD_BINS);
    const correlation = this.#correlation;
    for (let lag = MIN_LAG_BINS; lag <= last; lag++) {
      const memory = Math.min(this.#bins - lag + 1, MEMORY_BINS);
      const at = head - lag;
      correlation[lag]! += (scaled * past[at < 0 ? at + size : at]! - correlation[lag]!) / memory;
    }
    this.#bins += 1;
    return this.#bins % SCAN_EVERY_BINS === 0 && this.#scan();
  }

  /** Goes on with a period known from before; it is kept unquestioned until three cycles were seen anew. */
  adopt(period: number): void {
    this.period = period;
  }

  #scan(): boolean {
    if (this.period > 0 && this.#bins < CYCLES * this.period) return false;
    const correlation = this.#correlation;
    const last = Math.min(MAX_PERIOD_BINS - 1, Math.floor(this.#bins / CYCLES));
    const spread = this.#spread();
    let best = 0;
    for (let lag = MIN_PERIOD_BINS; lag < last; lag++)
      if (this.#isPeak(lag, spread) && (best === 0 || correlation[lag]! > correlation[best]!)) best = lag;
    let shortest = best;
    for (let lag = MIN_PERIOD_BINS; lag < best; lag++)
      if (this.#isPeak(lag, spread) && correlation[lag]! > LIKE * correlation[best]!) {
        shortest = lag;
        break;
      }
    const before = this.period;
    const current = before === 0 ? 0 : correlation[Math.round(before)]!;
    const found = shortest === 0 ? 0 : correlation[shortest]!;
    if (before > 0 && current < Math.max(KEEP, KEEP_SIGMAS * Math.sqrt(spread / MEMORY_BINS)))
      return this.#lose();
    // A multiple may have been taken first, while the period itself was still blurred.
    const divides = shortest < before - 1 && found > LIKE * current;
    if (before > 0 && found < current + LEAD && !divides) {
      this.strength = current;
      // Too few cycles would shift a good period, such as a restored one, by chance.
      if (this.#bins < 2 * CYCLES * before) return false;
      const exact = this.#refined(Math.round(before));
      if (Math.abs(exact - before) * (MAX_PERIOD_BINS / before) < SLIP_BINS) return false;
      this.period = exact;
      return true;
    }
    this.period = found >= ADOPT ? this.#refined(shortest) : 0;
    this.strength = this.period === 0 ? 0 : found;
    return this.period !== before;
  }

  /** All begins anew: what is left of its multiples must not be taken for periods one after the other. */
  #lose(): true {
    this.#correlation.fill(0);
    this.#bins = 0;
    this.period = 0;
    this.strength = 0;
    return true;
  }

  /** Variance of a correlation times its number of products, were there no period (Bartlett 1946). */
  #spread(): number {
    let spread = 1;
    for (let lag = 1; lag <= this.#noiseLags; lag++) spread += 2 * this.#correlation[lag]! ** 2;
    return spread;
  }

  /** Highest of its neighbours, beyond chance, and well above the trough half a period before, which mere slowness is not. */
  #isPeak(lag: number, spread: number): boolean {
    const c = this.#correlation;
    if (c[lag]! < c[lag - 1]! || c[lag]! < c[lag + 1]! || c[lag >> 1]! >= TROUGH * c[lag]!) return false;
    const products = Math.min(this.#bins - lag, MEMORY_BINS);
    return c[lag]! > SIGMAS * Math.sqrt(spread / products);
  }

  /** A peak at the k-th multiple gives the period k times as exactly. */
  #refined(from: number): number {
    let lag = from;
    for (let moves = 0; moves < MAX_CLIMB; moves++) {
      const next = this.#correlation[lag + 1]! > this.#correlation[lag - 1]! ? lag + 1 : lag - 1;
      if (!(this.#correlation[next]! > this.#correlation[lag]!)) break;
      lag = next;
    }
    let period = lag;
    const last = Math.min(MAX_PERIOD_BINS - 1, Math.floor(this.#bins / CYCLES));
    for (let k = 2; k * period + 1 < last; k++) {
      const near = Math.round(k * period);
      let top = near;
      for (let m = near - 1; m <= near + 1; m++) if (this.#correlation[m]! > this.#correlation[top]!) top = m;
      if (this.#correlation[top]! < 0.5 * this.#correlation[lag]!) break;
      period = top / k;
    }
    return period;
  }
}
