// What the hour of the day, the day of the week and the minute of the day usually do to the load: multiplicative, learned over days.

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOURS = 24;
const WEEK_HOURS = 168;
const MINUTES = 1440;
/** The load is compared with its average over about so long; anything slower is drift and no profile. */
const BASE_SPAN_MS = 7 * DAY_MS;
const DAY_GAIN = 0.25;
const WEEK_GAIN = 0.4;
/** A minute's own deviation counts in so far as it exceeds so many times its own uncertainty (squared). */
const SHRINK = 4;
const MAX_LOG = 3;

/**
 * Holt-Winters' multiplicative season in the logarithm, in three layers: 168 hours of the week (interpolated), 24 hours of the
 * day for those not yet visited, 1,440 minutes as sharp corrections to either: what starts each day at 02:00 starts
 * within a minute, and interpolating would smear it over the horizons that matter. 13 KB a backend.
 */
export class Profile {
  readonly #hours = new Float32Array(HOURS);
  readonly #hourVisits = new Uint8Array(HOURS);
  readonly #week = new Float32Array(WEEK_HOURS);
  readonly #weekVisits = new Uint8Array(WEEK_HOURS);
  readonly #minutes = new Float32Array(MINUTES);
  readonly #minuteSquares = new Float32Array(MINUTES);
  readonly #minuteVisits = new Uint8Array(MINUTES);
  #base = 0;
  #baseWeightMs = 0;
  #minute = -1;
  #hour = -1;
  #minuteSum = 0;
  #minuteCount = 0;
  #hourSum = 0;
  #hourCount = 0;

  /** Any number of times a minute; wall time may step. */
  learn(load: number, wallMs: number, stepMs: number): void {
    const minute = Math.floor(wallMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#closeMinute();
      this.#minute = minute;
    }
    const hour = Math.floor(wallMs / HOUR_MS);
    if (hour !== this.#hour) {
      this.#closeHour();
      this.#hour = hour;
    }
    this.#minuteSum += load;
    this.#minuteCount += 1;
    this.#hourSum += load;
    this.#hourCount += 1;
    this.#baseWeightMs = Math.min(BASE_SPAN_MS, this.#baseWeightMs + stepMs);
    this.#base += (stepMs / this.#baseWeightMs) * (load - this.#base);
  }

  /** Usual load at `laterMs` over that at `wallMs`. */
  ratio(wallMs: number, laterMs: number): number {
    return this.#baseWeightMs < DAY_MS ? 1 : Math.exp(this.#log(laterMs) - this.#log(wallMs));
  }

  #log(wallMs: number): number {
    const hours = wallMs / HOUR_MS - 0.5;
    const whole = Math.floor(hours);
    const share = hours - whole;
    const smooth = (1 - share) * this.#slow(whole) + share * this.#slow(whole + 1);
    const minute = Math.floor(wallMs / MINUTE_MS) % MINUTES;
    return smooth + this.#sharp(minute);
  }

  #slow(hour: number): number {
    const ofWeek = hour % WEEK_HOURS;
    return this.#weekVisits[ofWeek]! > 0 ? this.#week[ofWeek]! : this.#hours[hour % HOURS]!;
  }

  #sharp(minute: number): number {
    const visits = this.#minuteVisits[minute]!;
    const mean = this.#minutes[minute]!;
    if (visits < 2 || mean === 0) return 0;
    const variance = Math.max(1e-6, this.#minuteSquares[minute]! - mean * mean);
    const uncertain = (SHRINK * variance) / Math.min(visits, 1 / DAY_GAIN);
    return mean * Math.max(0, 1 - uncertain / (mean * mean));
  }

  #closeMinute(): void {
    if (this.#minuteCount > 0 && this.#baseWeightMs >= DAY_MS) {
      const minute = this.#minute % MINUTES;
      const centreMs = (this.#minute + 0.5) * MINUTE_MS;
      const hours = centreMs / HOUR_MS - 0.5;
      const whole = Math.floor(hours);
      const smooth = (1 - (hours - whole)) * this.#slow(whole) + (hours - whole) * this.#slow(whole + 1);
      const off = clampLog(this.#logOver(this.#minuteSum / this.#minuteCount) - smooth);
      const gain = gainAt(this.#minuteVisits, minute, DAY_GAIN);
      this.#minutes[minute]! += gain * (off - this.#minutes[minute]!);
      this.#minuteSquares[minute]! += gain * (off * off - this.#minuteSquares[minute]!);
    }
    this.#minuteSum = 0;
    this.#minuteCount = 0;
  }

  #closeHour(): void {
    if (this.#hourCount > 0) {
      const off = clampLog(this.#logOver(this.#hourSum / this.#hourCount));
      const ofDay = this.#hour % HOURS;
      const ofWeek = this.#hour % WEEK_HOURS;
      this.#hours[ofDay]! += gainAt(this.#hourVisits, ofDay, DAY_GAIN) * (off - this.#hours[ofDay]!);
      this.#week[ofWeek]! += gainAt(this.#weekVisits, ofWeek, WEEK_GAIN) * (off - this.#week[ofWeek]!);
    }
    this.#hourSum = 0;
    this.#hourCount = 0;
  }

  #logOver(load: number): number {
    return Math.log(Math.max(load, 1e-4) / Math.max(this.#base, 1e-4));
  }

  toJSON(): ProfileState {
    const rounded = (values: Float32Array): number[] =>
      Array.from(values, value => Math.round(value * 1e4) / 1e4);
    return {
      base: this.#base,
      baseWeightMs: this.#baseWeightMs,
      hours: rounded(this.#hours),
      hourVisits: [...this.#hourVisits],
      week: rounded(this.#week),
      weekVisits: [...this.#weekVisits],
      minutes: rounded(this.#minutes),
      minuteSquares: rounded(this.#minuteSquares),
      minuteVisits: [...this.#minuteVisits],
    };
  }

  /** False, and nothing changed, unless every number is as it must be. */
  restore(state: ProfileState): boolean {
    const pairs = [
      [this.#hours, state.hours],
      [this.#hourVisits, state.hourVisits],
      [this.#week, state.week],
      [this.#weekVisits, state.weekVisits],
      [this.#minutes, state.minutes],
      [this.#minuteSquares, state.minuteSquares],
      [this.#minuteVisits, state.minuteVisits],
    ] as const;
    const good = (values: unknown, length: number): boolean =>
      Array.isArray(values) &&
      values.length === length &&
      values.every(v => Number.isFinite(v) && Math.abs(v) <= 255);
    if (!pairs.every(([own, stored]) => good(stored, own.length))) return false;
    if (!(state.base >= 0 && state.baseWeightMs >= 0 && state.baseWeightMs <= BASE_SPAN_MS)) return false;
    for (const [own, stored] of pairs) own.set(stored);
    this.#base = state.base;
    this.#baseWeightMs = state.baseWeightMs;
    return true;
  }
}

export interface ProfileState {
  readonly base: number;
  readonly baseWeightMs: number;
  readonly hours: readonly number[];
  readonly hourVisits: readonly number[];
  readonly week: readonly number[];
  readonly weekVisits: readonly number[];
  readonly minutes: readonly number[];
  readonly minuteSquares: readonly number[];
  readonly minuteVisits: readonly number[];
}

const clampLog = (value: number): number => Math.max(-MAX_LOG, Math.min(MAX_LOG, value));

function gainAt(visits: Uint8Array, i: number, least: number): number {
  visits[i] = Math.min(255, visits[i]! + 1);
  return Math.max(least, 1 / visits[i]!);
}
