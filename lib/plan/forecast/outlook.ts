// The load in 5 to 60 minutes: simple models, a regression on more of the past, and a network where one was trained.

import { FixedShare } from './fixed-share.ts';
import type { Quantiles } from './forecaster.ts';
import { LeastSquares } from './least-squares.ts';
import { checkedWeights, Network, type NetworkWeights } from './network.ts';
import {
  answerOf,
  loadOf,
  MINUTE_MS,
  OUTLOOK_INPUTS,
  OUTLOOK_MINUTES,
  OutlookInputs,
  REACHES,
} from './outlook-inputs.ts';
import { QuantileTracker } from './quantile-tracker.ts';

export const OUTLOOK_MEMBERS = ['simple', 'regression', 'network'] as const;
const MEMBERS = OUTLOOK_MEMBERS.length;
const SIMPLE = 0;
const REGRESSION = 1;
const NETWORK = 2;
const HEDGE_RATE = 1;
const HEDGE_SHARE = 1e-4;
/** A loss is 1 at so many mean errors of the last value, which are those of some hours. */
const LOSS_SPAN = 4;
const SCALE_GAIN = 0.003;
const REGRESSION_MEMORY = 14 * 1440;
/** An answer off by more teaches no more than this. */
const CLIP = 0.25;
const MAX_LOAD = 8;
const MAX_BACK_MINUTES = 60;
const MAX_WIDENING = 8;

/** One distance ahead: members, who of them was right, and how far off the whole was. */
class OutlookReach {
  readonly ahead: number;
  readonly hedge: FixedShare;
  readonly errors = new QuantileTracker(1000);
  readonly members = new Float64Array(MEMBERS);
  point = Number.NaN;
  readonly #squares = new LeastSquares(new Float64Array(OUTLOOK_INPUTS + 1), REGRESSION_MEMORY);
  /** Of the last `ahead` minutes: inputs with a constant, anchor, change, forecasts, mean of them, and the minute. */
  readonly #inputs: Float64Array;
  readonly #anchors: Float64Array;
  readonly #changes: Float64Array;
  readonly #forecasts: Float64Array;
  readonly #lasts: Float64Array;
  readonly #points: Float64Array;
  readonly #minutes: Float64Array;
  readonly #losses = new Float64Array(MEMBERS);
  #scale = 0;

  constructor(ahead: number) {
    this.ahead = ahead;
    this.hedge = new FixedShare(MEMBERS, HEDGE_RATE / Math.sqrt(2 * ahead - 1), HEDGE_SHARE);
    this.#inputs = new Float64Array(ahead * (OUTLOOK_INPUTS + 1));
    this.#anchors = new Float64Array(ahead);
    this.#changes = new Float64Array(ahead);
    this.#forecasts = new Float64Array(ahead * MEMBERS);
    this.#lasts = new Float64Array(ahead);
    this.#points = new Float64Array(ahead);
    this.#minutes = new Float64Array(ahead).fill(Number.NaN);
  }

  /** The load of this minute judges and teaches what was said `ahead` minutes before. */
  learn(load: number, minute: number): void {
    const slot = minute % this.ahead;
    if (this.#minutes[slot] !== minute - this.ahead) return;
    const lastError = Math.abs(load - this.#lasts[slot]!);
    this.#scale += (this.#scale === 0 ? 1 : SCALE_GAIN) * (lastError - this.#scale);
    const unit = LOSS_SPAN * Math.max(this.#scale, 1e-4);
    for (let m = 0; m < MEMBERS; m++)
      this.#losses[m] = Math.min(1, Math.abs(this.#forecasts[slot * MEMBERS + m]! - load) / unit);
    this.hedge.update(this.#losses);
    this.errors.learn(load - this.#points[slot]!);
    const answer = answerOf(load, this.#anchors[slot]!, this.#changes[slot]!);
    this.#squares.learn(this.#inputs, slot * (OUTLOOK_INPUTS + 1), answer, CLIP);
  }

  /** `said` is the network's answer, NaN where there is none: the regression speaks for it until then. */
  look(
    i: number,
    { values, anchor, points, changes, minute }: OutlookInputs,
    last: number,
    said: number,
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
    members[NETWORK] = Number.isNaN(said) ? members[REGRESSION] : loadOf(said, anchor, changes[i]!);
    this.point = 0;
    for (let m = 0; m < MEMBERS; m++) this.point += this.hedge.weights[m]! * members[m]!;
    this.#forecasts.set(members, slot * MEMBERS);
    this.#points[slot] = this.point;
  }
}

export interface OutlookReason {
  readonly point: number;
  readonly members: readonly {
    readonly name: (typeof OUTLOOK_MEMBERS)[number];
    readonly forecast: number;
    readonly weight: number;
  }[];
}

/** What the past was, for who trains; the network is the one in use, to go on from. */
export interface OutlookPast {
  readonly history: Float32Array;
  /** Of the last load in it, since 1970. */
  readonly minute: number;
  readonly network: NetworkWeights | null;
}

export class LoadOutlook {
  #inputs = new OutlookInputs();
  readonly #reaches = OUTLOOK_MINUTES.map(ahead => new OutlookReach(ahead));
  #network: Network | null = null;
  #minute = Number.NaN;
  #sum = 0;
  #count = 0;

  /** At any rate; a minute of the wall clock is its mean. Loads that are none are refused. */
  observe(load: number, wallMs: number): void {
    if (!(load >= 0 && load < Number.POSITIVE_INFINITY && Number.isFinite(wallMs))) return;
    const minute = Math.floor(wallMs / MINUTE_MS);
    if (minute !== this.#minute) this.settle();
    this.#minute = minute;
    this.#sum += Math.min(MAX_LOAD, load);
    this.#count += 1;
  }

  /** Between two reaches by interpolation; beyond the last it stays and widens. NaN before the first minute. */
  forecast(horizonMs: number): Quantiles {
    return { p50: this.#quantile(0.5, horizonMs), p90: this.#quantile(0.9, horizonMs) };
  }

  /** Why, at the reach at or next below. */
  reason(horizonMs: number): OutlookReason {
    const reach = this.#reaches.findLast(({ ahead }) => ahead * MINUTE_MS <= horizonMs) ?? this.#reaches[0]!;
    const members = OUTLOOK_MEMBERS.map((name, m) => ({
      name,
      forecast: reach.members[m]!,
      weight: reach.hedge.weights[m]!,
    }));
    return { point: reach.point, members };
  }

  past(): OutlookPast {
    return {
      history: this.#inputs.history(),
      minute: this.#inputs.minute,
      network: this.#network?.weights ?? null,
    };
  }

  /** False when it is no network for these inputs; nothing is changed then. */
  adopt(json: unknown): boolean {
    const weights = checkedWeights(json, OUTLOOK_INPUTS, REACHES);
    if (weights === null) return false;
    this.#network = new Network(weights);
    return true;
  }

  /** The minute is over, whether or not another has begun; what still comes of it is refused. */
  settle(): void {
    const minute = this.#minute;
    const load = this.#sum / this.#count;
    const known = this.#inputs.minute;
    this.#sum = 0;
    this.#count = 0;
    if (Number.isNaN(load)) return;
    // After a clock was set back a little nothing is learned until it is where it was; after a wrong year all is.
    if (minute < known - MAX_BACK_MINUTES) this.#inputs = new OutlookInputs();
    else if (minute <= known) return;
    for (const reach of this.#reaches) reach.learn(load, minute);
    this.#inputs.push(load, minute);
    const said = this.#network?.run(this.#inputs.values);
    for (const [i, reach] of this.#reaches.entries())
      reach.look(i, this.#inputs, load, said === undefined ? Number.NaN : said[i]!);
  }

  #quantile(level: number, horizonMs: number): number {
    const minutes = horizonMs / MINUTE_MS;
    const reaches = this.#reaches;
    const at = ({ point, errors }: OutlookReach, widening: number): number =>
      Math.max(0, point + widening * errors.offset(level));
    const far = reaches.find(({ ahead }) => ahead >= minutes);
    const last = reaches.at(-1)!;
    if (far === undefined) return at(last, Math.min(MAX_WIDENING, Math.sqrt(minutes / last.ahead)));
    const near = reaches.findLast(({ ahead }) => ahead < minutes);
    if (near === undefined) return at(far, 1);
    const share = (minutes - near.ahead) / (far.ahead - near.ahead);
    return (1 - share) * at(near, 1) + share * at(far, 1);
  }
}
