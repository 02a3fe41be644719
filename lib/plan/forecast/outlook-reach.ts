// One distance ahead of the outlook: who of its members was right, whether the network earned its say, how far off the whole was.

import { FixedShare } from './fixed-share.ts';
import { LeastSquares } from './least-squares.ts';
import { answerOf, loadOf, OUTLOOK_INPUTS, type OutlookInputs } from './outlook-inputs.ts';
import { QuantileTracker } from './quantile-tracker.ts';

export const OUTLOOK_MEMBERS = ['simple', 'regression', 'network'] as const;
const MEMBERS = OUTLOOK_MEMBERS.length;
const SIMPLE = 0;
const REGRESSION = 1;
const NETWORK = 2;
/** Mean of the first two, mean of all three, and the one of these that counted. */
const WITHOUT = 3;
const WITH = 4;
const WHOLE = 5;
const SAID = 6;

const HEDGE_RATE = 1;
const HEDGE_SHARE = 1e-4;
/** A loss is 1 at so many mean errors of the last value, which are those of some hours. */
const LOSS_SPAN = 4;
const SCALE_GAIN = 0.003;
const REGRESSION_MEMORY = 14 * 1440;
/** An answer off by more teaches no more than this. */
const CLIP = 0.25;

/** Errors are added up over about a week. */
const FADE = 1 - 1 / (7 * 1440);
const SUM_LAST = 0;
const SUM_SIMPLE = 1;
const SUM_REGRESSION = 2;
const SUM_WHOLE = 3;
const SUM_MINUTES = 4;
/** Of minutes for which a network had spoken alone. */
const TRIAL_LAST = 5;
const TRIAL_NETWORK = 6;
const TRIAL_WITHOUT = 7;
const TRIAL_WITH = 8;
const TRIAL_MINUTES = 9;
const SUMS = 10;
/** A network is judged for so long before it may count. */
const PROBATION_MINUTES = 720;

export type NetworkStanding = 'none' | 'on_trial' | 'in_use' | 'refused';

/** Mean errors over that of the last value at the same distance; NaN where nothing was judged yet. */
export interface OutlookQuality {
  readonly minutes: number;
  readonly mase: number;
  readonly simple: number;
  readonly regression: number;
  /** Of the network alone, over the minutes for which it spoke. */
  readonly network: number;
  /** Over the same minutes: error of the whole with the network over that without. Below 1 it has earned its place. */
  readonly gain: number;
  readonly standing: NetworkStanding;
}

export interface OutlookReachState {
  readonly squares: Float64Array;
  readonly without: readonly number[];
  readonly with: readonly number[];
  readonly offsets: readonly number[];
  readonly errorScale: number;
  readonly scale: number;
  readonly sums: readonly number[];
}

export class OutlookReach {
  readonly ahead: number;
  readonly errors = new QuantileTracker(1000);
  readonly members = new Float64Array(MEMBERS).fill(Number.NaN);
  point = Number.NaN;
  readonly #without: FixedShare;
  readonly #with: FixedShare;
  readonly #squares = new LeastSquares(new Float64Array(OUTLOOK_INPUTS + 1), REGRESSION_MEMORY);
  readonly #sums = new Float64Array(SUMS);
  /** Of the last `ahead` minutes: inputs with a constant, anchor, change, what was said, last load, and the minute. */
  readonly #inputs: Float64Array;
  readonly #anchors: Float64Array;
  readonly #changes: Float64Array;
  readonly #said: Float64Array;
  readonly #lasts: Float64Array;
  readonly #minutes: Float64Array;
  readonly #losses = new Float64Array(MEMBERS);
  #scale = 0;
  /** There is a network. */
  #tried = false;

  constructor(ahead: number) {
    this.ahead = ahead;
    const rate = HEDGE_RATE / Math.sqrt(2 * ahead - 1);
    this.#without = new FixedShare(MEMBERS - 1, rate, HEDGE_SHARE);
    this.#with = new FixedShare(MEMBERS, rate, HEDGE_SHARE);
    this.#inputs = new Float64Array(ahead * (OUTLOOK_INPUTS + 1));
    this.#anchors = new Float64Array(ahead);
    this.#changes = new Float64Array(ahead);
    this.#said = new Float64Array(ahead * SAID);
    this.#lasts = new Float64Array(ahead);
    this.#minutes = new Float64Array(ahead).fill(Number.NaN);
  }

  /** The first network begins with half of the regression's weight: no more is known of it than of that. */
  beginTrial(): void {
    const [simple, regression] = this.#without.weights;
    this.#with.restore([simple!, regression! / 2, regression! / 2]);
    this.#sums.fill(0, TRIAL_LAST);
    this.#tried = true;
  }

  /** The load of this minute judges and teaches what was said `ahead` minutes before. */
  learn(load: number, minute: number): void {
    const slot = minute % this.ahead;
    if (this.#minutes[slot] !== minute - this.ahead) return;
    this.#judge(load, slot);
    const answer = answerOf(load, this.#anchors[slot]!, this.#changes[slot]!);
    this.#squares.learn(this.#inputs, slot * (OUTLOOK_INPUTS + 1), answer, CLIP);
  }

  /** `answer` is the network's, NaN where there is none. */
  look(
    i: number,
    { values, anchor, points, changes, minute }: OutlookInputs,
    last: number,
    answer: number,
  ): void {
    const slot = minute % this.ahead;
    const from = slot * (OUTLOOK_INPUTS + 1);
    this.#inputs[from] = 1;
    this.#inputs.set(values, from + 1);
    this.#anchors[slot] = anchor;
    this.#changes[slot] = changes[i]!;
    this.#lasts[slot] = last;
    this.#minutes[slot] = minute;
    const { members } = this;
    members[SIMPLE] = points[i]!;
    members[REGRESSION] = loadOf(this.#squares.predict(this.#inputs, from), anchor, changes[i]!);
    members[NETWORK] = loadOf(answer, anchor, changes[i]!);
    const without = meanOf(members, this.#without.weights);
    const withNetwork = Number.isNaN(answer) ? without : meanOf(members, this.#with.weights);
    this.point = this.#earned ? withNetwork : without;
    const said = slot * SAID;
    this.#said.set(members, said);
    this.#said[said + WITHOUT] = without;
    this.#said[said + WITH] = withNetwork;
    this.#said[said + WHOLE] = this.point;
  }

  /** What each member weighs in the point; a network that has not earned its place weighs nothing. */
  get weights(): readonly number[] {
    return this.#earned ? [...this.#with.weights] : [...this.#without.weights, 0];
  }

  quality(): OutlookQuality {
    const sums = this.#sums;
    const over = (top: number, bottom: number): number => sums[top]! / (sums[bottom]! || Number.NaN);
    return {
      minutes: sums[SUM_MINUTES]!,
      mase: over(SUM_WHOLE, SUM_LAST),
      simple: over(SUM_SIMPLE, SUM_LAST),
      regression: over(SUM_REGRESSION, SUM_LAST),
      network: over(TRIAL_NETWORK, TRIAL_LAST),
      gain: over(TRIAL_WITH, TRIAL_WITHOUT),
      standing: this.#standing,
    };
  }

  save(): OutlookReachState {
    return {
      squares: this.#squares.save(),
      without: [...this.#without.weights],
      with: [...this.#with.weights],
      offsets: [...this.errors.offsets],
      errorScale: this.errors.scale,
      scale: this.#scale,
      sums: [...this.#sums],
    };
  }

  /** Of a checked state. What was said and is not yet judged is forgotten. */
  restore(state: OutlookReachState, withNetwork: boolean): void {
    this.#squares.resume(state.squares);
    this.#without.restore(state.without);
    this.#with.restore(state.with);
    this.errors.restore(state.offsets, state.errorScale);
    this.#scale = state.scale;
    this.#sums.set(state.sums);
    this.#tried = withNetwork;
  }

  /** No model that loses decides: the network counts while the whole was better with it than without. */
  get #earned(): boolean {
    return this.#standing === 'in_use';
  }

  get #standing(): NetworkStanding {
    const sums = this.#sums;
    if (!this.#tried) return 'none';
    if (sums[TRIAL_MINUTES]! < PROBATION_MINUTES) return 'on_trial';
    return sums[TRIAL_WITH]! < sums[TRIAL_WITHOUT]! ? 'in_use' : 'refused';
  }

  #judge(load: number, slot: number): void {
    const from = slot * SAID;
    const errorOf = (column: number): number => Math.abs(this.#said[from + column]! - load);
    const lastError = Math.abs(load - this.#lasts[slot]!);
    this.#scale += (this.#scale === 0 ? 1 : SCALE_GAIN) * (lastError - this.#scale);
    const unit = LOSS_SPAN * Math.max(this.#scale, 1e-4);
    for (let m = 0; m < MEMBERS; m++) this.#losses[m] = Math.min(1, errorOf(m) / unit);
    this.#without.update(this.#losses);
    this.errors.learn(load - this.#said[from + WHOLE]!);
    const sums = this.#sums;
    for (let i = 0; i < TRIAL_LAST; i++) sums[i]! *= FADE;
    sums[SUM_LAST]! += lastError;
    sums[SUM_SIMPLE]! += errorOf(SIMPLE);
    sums[SUM_REGRESSION]! += errorOf(REGRESSION);
    sums[SUM_WHOLE]! += errorOf(WHOLE);
    sums[SUM_MINUTES]! += 1;
    if (Number.isNaN(this.#said[from + NETWORK]!)) return;
    this.#with.update(this.#losses);
    for (let i = TRIAL_LAST; i < SUMS; i++) sums[i]! *= FADE;
    sums[TRIAL_LAST]! += lastError;
    sums[TRIAL_NETWORK]! += errorOf(NETWORK);
    sums[TRIAL_WITHOUT]! += errorOf(WITHOUT);
    sums[TRIAL_WITH]! += errorOf(WITH);
    sums[TRIAL_MINUTES]! += 1;
  }
}

/** Of as many members as there are weights. */
function meanOf(members: Float64Array, weights: Float64Array): number {
  let sum = 0;
  for (let m = 0; m < weights.length; m++) sum += weights[m]! * members[m]!;
  return sum;
}
