// The load in 5 to 60 minutes: simple models, a regression on more of the past, and a network where one was trained.

import type { Quantiles } from './forecaster.ts';
import { checkedWeights, Network, type NetworkWeights } from './network.ts';
import {
  HISTORY_MINUTES,
  MINUTE_MS,
  OUTLOOK_INPUTS,
  OUTLOOK_MINUTES,
  OutlookInputs,
  REACHES,
} from './outlook-inputs.ts';
import { OUTLOOK_MEMBERS, type OutlookQuality, OutlookReach } from './outlook-reach.ts';
import { type OutlookState, packLoads, packReach, unpackLoads, unpackReach } from './outlook-state.ts';

const MAX_LOAD = 8;
const MAX_BACK_MINUTES = 60;
const MAX_WIDENING = 8;
const DAY = 1440;
/** As measured (`npm run bench:neural`): first after thirteen days, then every other day. */
const FIRST_TRAINING = 13 * DAY;
const NEXT_TRAINING = 2 * DAY;

export interface OutlookReason {
  readonly point: number;
  readonly members: readonly {
    readonly name: (typeof OUTLOOK_MEMBERS)[number];
    /** NaN where there is no network. */
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
  #trainedMinute = Number.NaN;
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
    const reach = this.#reachOf(horizonMs);
    const { weights } = reach;
    const members = OUTLOOK_MEMBERS.map((name, m) => ({
      name,
      forecast: reach.members[m]!,
      weight: weights[m]!,
    }));
    return { point: reach.point, members };
  }

  /** How good it was of late, at the reach at or next below. */
  quality(horizonMs: number): OutlookQuality {
    return this.#reachOf(horizonMs).quality();
  }

  /** Minutes that are known without a hole. */
  get known(): number {
    return this.#inputs.known;
  }

  /** Unix ms up to which the network was trained; NaN without one. */
  get trainedMs(): number {
    return this.#trainedMinute * MINUTE_MS;
  }

  /** There is enough to learn from, and more than when it was learned from last. */
  get dueForTraining(): boolean {
    const { known, minute } = this.#inputs;
    return known >= FIRST_TRAINING && !(Math.abs(minute - this.#trainedMinute) < NEXT_TRAINING);
  }

  past(): OutlookPast {
    return {
      history: this.#inputs.history(),
      minute: this.#inputs.minute,
      network: this.#network?.weights ?? null,
    };
  }

  /** `minute` is that of the past it was trained on. False when it is no network for these inputs; nothing is changed then. */
  adopt(json: unknown, minute = this.#inputs.minute): boolean {
    const weights = checkedWeights(json, OUTLOOK_INPUTS, REACHES);
    if (weights === null) return false;
    if (this.#network === null) for (const reach of this.#reaches) reach.beginTrial();
    this.#network = new Network(weights);
    this.#trainedMinute = minute;
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
    this.#look(load);
  }

  /** Null before the first minute. */
  save(): OutlookState | null {
    const { minute } = this.#inputs;
    if (Number.isNaN(minute)) return null;
    return {
      minute,
      history: packLoads(this.#inputs.history()),
      models: this.#inputs.models.toJSON(),
      reaches: this.#reaches.map(reach => packReach(reach.save())),
      network: this.#network?.weights ?? null,
      trainedMinute: this.#trainedMinute,
    };
  }

  /** For a new one. What is not of this shape is refused whole, and false returned. Forecasts are those of then, until a minute ends. */
  restore(json: unknown): boolean {
    if (typeof json !== 'object' || json === null) return false;
    const { minute, history, models, reaches, network, trainedMinute } = json as Partial<OutlookState>;
    const loads = unpackLoads(history, HISTORY_MINUTES);
    if (!(Number.isInteger(minute) && minute! >= 0) || loads === null || loads.length === 0) return false;
    if (!Array.isArray(reaches) || reaches.length !== REACHES) return false;
    const states = this.#reaches.map((reach, i) => unpackReach(reaches[i], reach.save()));
    if (states.includes(null) || !this.#inputs.restore(loads, minute!, models)) return false;
    if (network !== null && Number.isInteger(trainedMinute)) this.adopt(network, trainedMinute);
    for (const [i, reach] of this.#reaches.entries()) reach.restore(states[i]!, this.#network !== null);
    this.#look(loads.at(-1)!);
    return true;
  }

  #look(load: number): void {
    const said = this.#network?.run(this.#inputs.values);
    for (const [i, reach] of this.#reaches.entries())
      reach.look(i, this.#inputs, load, said === undefined ? Number.NaN : said[i]!);
  }

  #reachOf(horizonMs: number): OutlookReach {
    return this.#reaches.findLast(({ ahead }) => ahead * MINUTE_MS <= horizonMs) ?? this.#reaches[0]!;
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
