// What is learnt of each backend's speed and room: how long a request takes unhindered, and how many go at once unhindered.
//
// From windows of (mean in flight N, answers per second, utilisation u) alone:
//   residence       D = N / rate                       Little's law: mean time a request spends there
//   unhindered      u / N is at its usual level        each request gets on as fast as it can
//   hindered        u / N is well below                some wait: for cores, for places, for whatever it is
//   serviceMs (T)   mean of D over unhindered windows; of D · (u / N) / usual, the time of those that got on, over hindered
//   room (K)        hindered: N · (u / N) / usual, the part of N that got on; else at least N, and growing slowly
// Where u is not reported, D against T tells whether it is hindered. No limit and no speed is configured or known.

/** Share of a new window in the mean service time and in the usual ratio. */
const NEWEST = 0.1;
/** Under this share of the usual u / N requests are hindered. Two figures of 10 % noise each make 14 %. */
const HINDERED = 0.8;
/** The same by residence time: a window holds few requests, whose mean varies more than a ratio. */
const INFLATED = 1.5;
/** How fast a hindered window is believed. */
const ADJUST = 0.5;
/** Growth of unproven room, per second. At 1.2, which finds spare cores sooner, tails were a fifth longer. */
const GROWTH_PER_S = 1.05;
/** Room beyond what was ever proven or is allocated. */
const BEYOND = 3;
/** Growth of T over a window that says it is too low, or that the backend is full. */
const DRIFT = 1.2;
/** Below it clocks, not backends are compared. */
const LEAST_MS = 0.01;
/**
 * What was learnt of a backend that is heard of no more is believed less and less, in favour of trying it: what was slow as it
 * started would else be slow for ever. After this silence T falls by e in each FADE_MS.
 */
const HOLDS_MS = 5_000;
const FADE_MS = 10_000;
/** Silence proves nothing: growth over more than this is not made up for. */
const LONGEST_STEP_MS = 5_000;

export class CapacityBook {
  /** NaN until a first window. */
  readonly serviceMs: Float64Array;
  readonly room: Float64Array;
  /** Mean square of ln(D / T): how far one window is to be believed. */
  readonly #variance: Float64Array;
  /** u / N unhindered: its inverse is the number of requests that fill the allocation. */
  readonly #usual: Float64Array;
  /** Most in flight that went unhindered. */
  readonly #proven: Float64Array;
  readonly #atMs: Float64Array;
  readonly #windows: Float64Array;
  #fleetLog = Number.NaN;
  #fleetRoom = Number.NaN;

  constructor(slots: number) {
    this.serviceMs = new Float64Array(slots).fill(Number.NaN);
    this.room = new Float64Array(slots).fill(Number.NaN);
    this.#variance = new Float64Array(slots).fill(0.25);
    this.#usual = new Float64Array(slots).fill(Number.NaN);
    this.#windows = new Float64Array(slots);
    this.#proven = new Float64Array(slots);
    this.#atMs = new Float64Array(slots);
  }

  /** One window of the backend's; `utilization` NaN when it does not say. `tookMs` is the mean time of a request where that was measured. */
  learn(
    slot: number,
    inFlight: number,
    perSecond: number,
    utilization: number,
    nowMs: number,
    tookMs = (1000 * inFlight) / perSecond,
  ): void {
    const elapsedMs = Math.min(LONGEST_STEP_MS, nowMs - this.#atMs[slot]!);
    this.#atMs[slot] = nowMs;
    if (!(inFlight > 0) || !(perSecond > 0)) return this.#grow(slot, elapsedMs);
    const residenceMs = Math.max(LEAST_MS, tookMs);
    if (Number.isNaN(this.serviceMs[slot]!)) this.serviceMs[slot] = residenceMs;
    const went = this.#unhindered(slot, inFlight, residenceMs, utilization);
    if (went < HINDERED) {
      const got = inFlight * went;
      const before = this.room[slot]!;
      this.room[slot] = Number.isNaN(before) ? got : before + ADJUST * (got - before);
      // Little's law for the part that got on. Without it a backend whose first window held short requests only would look
      // fast, be flooded, and so never have an unhindered window to learn better from. By residence alone the part follows
      // from T and tells nothing of it; then T gives way a little, so that no wrong one lasts.
      this.#learnService(slot, utilization > 0 ? residenceMs * went : this.serviceMs[slot]! * DRIFT);
    } else {
      this.#proven[slot] = Math.max(this.#proven[slot]! * (1 - NEWEST / 10), inFlight);
      this.#grow(slot, elapsedMs);
      this.room[slot] = Math.max(Number.isNaN(this.room[slot]!) ? 0 : this.room[slot]!, inFlight);
      this.#learnService(slot, residenceMs);
    }
    const room = this.room[slot]!;
    this.#fleetRoom = Number.isNaN(this.#fleetRoom)
      ? room
      : this.#fleetRoom + 0.01 * (room - this.#fleetRoom);
  }

  /**
   * T, drawn towards the fleet's by as much as it may be chance: choosing the lowest of ten estimates would else mostly
   * choose the luckiest (James and Stein 1961).
   */
  serviceOf(slot: number, nowMs: number): number {
    const learnt = this.serviceMs[slot]!;
    const silentMs = nowMs - this.#atMs[slot]! - HOLDS_MS;
    const own = silentMs > 0 ? learnt * Math.exp(-silentMs / FADE_MS) : learnt;
    if (Number.isNaN(own)) return Number.isNaN(this.#fleetLog) ? 1 : Math.exp(this.#fleetLog);
    const apart = Math.log(own) - this.#fleetLog;
    const doubt = (this.#variance[slot]! * NEWEST) / (2 - NEWEST);
    return Math.exp(this.#fleetLog + (apart * apart * apart) / (apart * apart + doubt + 1e-12));
  }

  /** Something was learnt of this backend, or of another that it can be likened to. */
  knows(slot: number): boolean {
    return !Number.isNaN(this.serviceMs[slot]!) || !Number.isNaN(this.#fleetLog);
  }

  roomOf(slot: number): number {
    const own = this.room[slot]!;
    if (!Number.isNaN(own)) return Math.max(own, 0.05);
    return Number.isNaN(this.#fleetRoom) ? 1 : this.#fleetRoom;
  }

  /** Another backend is in the slot from now on; of the fleet nothing is forgotten. */
  forget(slot: number): void {
    this.serviceMs[slot] = Number.NaN;
    this.room[slot] = Number.NaN;
    this.#variance[slot] = 0.25;
    this.#usual[slot] = Number.NaN;
    this.#windows[slot] = 0;
    this.#proven[slot] = 0;
    this.#atMs[slot] = 0;
  }

  /** Part of what was in flight that got on; 1 when none was hindered. */
  #unhindered(slot: number, inFlight: number, residenceMs: number, utilization: number): number {
    if (!(utilization > 0)) {
      const ratio = this.serviceMs[slot]! / residenceMs;
      return ratio * INFLATED < 1 ? ratio : 1;
    }
    const ratio = utilization / inFlight;
    const usual = this.#usual[slot]!;
    if (Number.isNaN(usual)) {
      this.#usual[slot] = ratio;
      return 1;
    }
    const went = ratio / usual;
    if (went >= HINDERED) this.#usual[slot] = usual + (went > 1 ? 2 : 1) * NEWEST * (ratio - usual);
    return Math.min(1, went);
  }

  #grow(slot: number, elapsedMs: number): void {
    // The allocation where it is known; else what the others have, since a newcomer is more likely like them than tiny.
    const allocated = 1 / this.#usual[slot]!;
    const fleets = Number.isNaN(this.#fleetRoom) ? 1 : this.#fleetRoom;
    const floor = Number.isNaN(allocated) ? fleets : allocated;
    const before = this.room[slot]!;
    if (Number.isNaN(before)) {
      this.room[slot] = floor;
      return;
    }
    const most = BEYOND * Math.max(floor, this.#proven[slot]!);
    this.room[slot] = Math.min(most, before * GROWTH_PER_S ** (elapsedMs / 1000));
  }

  #learnService(slot: number, residenceMs: number): void {
    const before = this.serviceMs[slot]!;
    // The first windows are averaged evenly: one alone is not worth more than the next.
    this.#windows[slot] = Math.min(1 / NEWEST, this.#windows[slot]! + 1);
    const share = 1 / this.#windows[slot]!;
    const apart = Math.log(residenceMs / before);
    this.#variance[slot]! += NEWEST * (apart * apart - this.#variance[slot]!);
    this.serviceMs[slot] = before + share * (residenceMs - before);
    const log = Math.log(this.serviceMs[slot]!);
    this.#fleetLog = Number.isNaN(this.#fleetLog) ? log : this.#fleetLog + 0.01 * (log - this.#fleetLog);
  }
}
