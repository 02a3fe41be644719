// How good a forecaster was at one horizon: MASE, pinball loss, coverage, and overloads foreseen.

export interface QualityOptions {
  /** Horizon in steps. */
  readonly steps: number;
  readonly stepMs: number;
  /** Load above which it is an overload, and the chance from which an alarm is given. */
  readonly threshold: number;
  readonly alarmChance: number;
  /** After so many steps a judgement counts 1/e; Infinity keeps all. */
  readonly memorySteps: number;
}

/** NaN where nothing was judged yet. */
export interface QualityReport {
  /** Mean error of P50 over that of the last value at the same horizon (Hyndman and Koehler 2006, scaled where it is used). */
  readonly mase: number;
  readonly pinballP50: number;
  readonly pinballP90: number;
  /** Share of loads at or below P90. */
  readonly coverageP90: number;
  /** Of the steps over the threshold the share an alarm was given for, and of the alarms the share that came true. */
  readonly recall: number;
  readonly precision: number;
  /** Of the overloads that began, the share with an alarm before; and how long before, on average, up to the horizon. */
  readonly foreseen: number;
  readonly leadMs: number;
}

const ERROR = 0;
const LAST_ERROR = 1;
const PINBALL50 = 2;
const PINBALL90 = 3;
const COVERED = 4;
const JUDGED = 5;
const TRUE_ALARM = 6;
const FALSE_ALARM = 7;
const MISSED = 8;
const BEGAN = 9;
const FORESEEN = 10;
const LEAD_STEPS = 11;
const SUMS = 12;

/** One call of `add` per step, in order. Rings of one horizon's length, nothing else grows. */
export class ForecastQuality {
  readonly #options: QualityOptions;
  readonly #sums = new Float64Array(SUMS);
  readonly #fade: number;
  readonly #values: Float64Array;
  readonly #p50: Float64Array;
  readonly #p90: Float64Array;
  readonly #alarms: Uint8Array;
  #count = 0;
  #calmSteps = 0;

  constructor(options: QualityOptions) {
    this.#options = options;
    this.#fade = 1 - 1 / options.memorySteps;
    this.#values = new Float64Array(options.steps);
    this.#p50 = new Float64Array(options.steps);
    this.#p90 = new Float64Array(options.steps);
    this.#alarms = new Uint8Array(options.steps);
  }

  /** A step whose load says nothing of the forecasts: it is neither judged nor forecast from. */
  skip(): void {
    this.add(Number.NaN, Number.NaN, Number.NaN, 0);
  }

  /** This step's load, and what is forecast from it for `steps` on. */
  add(value: number, p50: number, p90: number, chanceOver: number): void {
    const { steps, threshold, alarmChance } = this.#options;
    const slot = this.#count % steps;
    const over = value > threshold;
    const judgeable = this.#count >= steps && !Number.isNaN(value) && !Number.isNaN(this.#p50[slot]!);
    if (judgeable) this.#judge(slot, value, over);
    this.#calmSteps = over ? 0 : this.#calmSteps + 1;
    this.#values[slot] = value;
    this.#p50[slot] = p50;
    this.#p90[slot] = p90;
    this.#alarms[slot] = chanceOver >= alarmChance ? 1 : 0;
    this.#count += 1;
  }

  #judge(slot: number, value: number, over: boolean): void {
    const sums = this.#sums;
    if (this.#fade < 1) for (let i = 0; i < SUMS; i++) sums[i]! *= this.#fade;
    const p50 = this.#p50[slot]!;
    const p90 = this.#p90[slot]!;
    sums[ERROR]! += Math.abs(value - p50);
    sums[LAST_ERROR]! += Math.abs(value - this.#values[slot]!);
    sums[PINBALL50]! += 0.5 * Math.abs(value - p50);
    sums[PINBALL90]! += value > p90 ? 0.9 * (value - p90) : 0.1 * (p90 - value);
    sums[COVERED]! += value <= p90 ? 1 : 0;
    sums[JUDGED]! += 1;
    const alarm = this.#alarms[slot] === 1;
    if (alarm) sums[over ? TRUE_ALARM : FALSE_ALARM]! += 1;
    else if (over) sums[MISSED]! += 1;
    // An overload begins when a whole horizon before it was calm: what flickers about the threshold is one overload.
    if (over && this.#calmSteps >= this.#options.steps) this.#onset(slot);
  }

  /** The ring holds the alarms of the last `steps` steps, the oldest at `slot`. */
  #onset(slot: number): void {
    const { steps } = this.#options;
    this.#sums[BEGAN]! += 1;
    for (let age = steps; age > 0; age--)
      if (this.#alarms[(slot + steps - age) % steps] === 1) {
        this.#sums[FORESEEN]! += 1;
        this.#sums[LEAD_STEPS]! += age;
        return;
      }
  }

  report(): QualityReport {
    return ForecastQuality.reportOf([this]);
  }

  /** Over several of the same horizon and step, each judgement counting once. */
  static reportOf(qualities: readonly ForecastQuality[]): QualityReport {
    const sums = new Float64Array(SUMS);
    for (const quality of qualities) for (let i = 0; i < SUMS; i++) sums[i]! += quality.#sums[i]!;
    const [first] = qualities;
    const stepMs = first === undefined ? 0 : first.#options.stepMs;
    const over = (top: number, bottom: number): number => (bottom === 0 ? Number.NaN : top / bottom);
    return {
      mase: over(sums[ERROR]!, sums[LAST_ERROR]!),
      pinballP50: over(sums[PINBALL50]!, sums[JUDGED]!),
      pinballP90: over(sums[PINBALL90]!, sums[JUDGED]!),
      coverageP90: over(sums[COVERED]!, sums[JUDGED]!),
      recall: over(sums[TRUE_ALARM]!, sums[TRUE_ALARM]! + sums[MISSED]!),
      precision: over(sums[TRUE_ALARM]!, sums[TRUE_ALARM]! + sums[FALSE_ALARM]!),
      foreseen: over(sums[FORESEEN]!, sums[BEGAN]!),
      leadMs: over(sums[LEAD_STEPS]!, sums[FORESEEN]!) * stepMs,
    };
  }
}
