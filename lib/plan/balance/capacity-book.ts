// What is learnt of each backend's speed and room: how long a request takes unhindered, and how many go at once unhindered.
//
// From windows of (mean in flight N, answers per second, utilisation u) alone:
//   residence       D = N / rate                       Little's law: mean time a request spends there
//   unhindered      u / N is at its usual level        each request gets on as fast as it can
//   hindered        u / N is well below                some wait: for cores, for places, for whatever it is
//   serviceMs (T)   mean of D over unhindered windows; of D · (u / N) / usual, the time of those that got on, over hindered
//   room (K)        hindered: N · (u / N) / usual, the part of N that got on; else at least N, and growing slowly
// Where u is not reported, D against T tells whether it is hindered. No limit and no speed is configured or known.
//
// Both are estimates that age. A window of few answers says little of T, so windows count by their answers; and what a backend
// itself says of how long it takes counts as a few answers, all there is of one that nobody has tried. Neighbours that took
// or left room come and go: what is heard of no more is taken to have the room that it usually has.

/** Share of a new window in the usual ratio. It is the highest that counts: mildly hindered windows must not drag it down. */
const RISES = 0.2;
const FALLS = 0.04;
/** What older answers are still worth, window by window. */
const OLDER = 0.97;
/** A window so many times slower than T is no chance: all that was before counts as so many answers. */
const SLOWED = 3;
const STILL_WORTH = 4;
/** Share of a new window in the most that went unhindered. */
const NEWEST = 0.01;
/** A backend's word on its latency counts as so many answers. */
const WORD = 8;
/** Share of its newest word in it. */
const NEWEST_WORD = 0.3;
/** Share of a window in the room a backend usually has; and how fast that takes the place of what a window said, once it is old. */
const USUAL_ROOM = 0.02;
const ROOM_HOLDS_MS = 1_000;
const ROOM_FADES_MS = 1_500;
/** Less than this share of the usual is no neighbour's mood but a stall, and lasts. */
const COLLAPSED = 0.3;
const COLLAPSE_FADES_MS = 30_000;
/** Under this share of the usual u / N requests are hindered. Two figures of 10 % noise each make 14 %. */
const HINDERED = 0.75;
/** The same by residence time: a window holds few requests, whose mean varies more than a ratio. */
const INFLATED = 1.25;
/** A hindered window is believed by half when it comes a second after the one before, and the more the later. */
const ADJUST_MS = 1_440;
/** Room under what is usual comes back by e in this time, while nothing is hindered: a job or a pause is over at once, and who is
 * sent little would prove its room by nothing else. At 2 s more requests met the next pause, at 5 % a second idle room lasted. */
const RETURNS_MS = 4_000;
/** Growth of unproven room, per second. At 1.2, which finds spare cores sooner, tails were a fifth longer. */
const GROWTH_PER_S = 1.05;
const LEAST_ROOM = 0.05;
/** Room beyond what was ever proven or is allocated. */
const BEYOND = 3;
/** Growth of T over a window that says it is too low, or that the backend is full. */
const DRIFT = 1.05;
/** Below it clocks, not backends are compared. */
const LEAST_MS = 0.01;
/**
 * What was learnt of a backend that is heard of no more is believed less and less, in favour of trying it: what was slow as it
 * started would else be slow for ever. After this silence T falls by e in each FADE_MS; more slowly with other proxies, which
 * try it as well.
 */
const HOLDS_MS = 5_000;
const FADE_MS = 10_000;
/**
 * Without a word on utilisation a longer residence is mostly waiting, a shorter one is speed: windows that say so count for this much less.
 * Else waiting counts as work, more is sent there, and both T and K run away: at 10 ms and 2 places they went to 25 ms and 20.
 */
const UPWARDS = 0.1;
/** Silence proves nothing: growth over more than this is not made up for. */
const LONGEST_STEP_MS = 5_000;

export class CapacityBook {
  /** NaN until a first window. */
  readonly serviceMs: Float64Array;
  readonly room: Float64Array;
  /** Answers that T is the mean of, and the time they took, older ones faded. */
  readonly #answers: Float64Array;
  readonly #tookMs: Float64Array;
  readonly #answeredMs: Float64Array;
  /** What it says itself; NaN when it does not. */
  readonly #wordMs: Float64Array;
  readonly #usualRoom: Float64Array;
  /** 1 while its last window was a stall's. */
  readonly #collapsed: Uint8Array;
  /** u / N unhindered: its inverse is the number of requests that fill the allocation. */
  readonly #usual: Float64Array;
  /** Most in flight that went unhindered. */
  readonly #proven: Float64Array;
  readonly #atMs: Float64Array;
  readonly #fadeMs: number;
  #fleetLog = Number.NaN;
  #fleetRoom = Number.NaN;

  /** `proxies` learn of the same backends, this one included. */
  constructor(slots: number, proxies = 1) {
    this.#fadeMs = FADE_MS * proxies;
    this.serviceMs = new Float64Array(slots).fill(Number.NaN);
    this.room = new Float64Array(slots).fill(Number.NaN);
    this.#answers = new Float64Array(slots);
    this.#tookMs = new Float64Array(slots);
    this.#answeredMs = new Float64Array(slots);
    this.#wordMs = new Float64Array(slots).fill(Number.NaN);
    this.#usualRoom = new Float64Array(slots).fill(Number.NaN);
    this.#collapsed = new Uint8Array(slots);
    this.#usual = new Float64Array(slots).fill(Number.NaN);
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
    this.#answeredMs[slot] = nowMs;
    if (Number.isNaN(this.serviceMs[slot]!)) this.serviceMs[slot] = residenceMs;
    const went = this.#unhindered(slot, inFlight, residenceMs, utilization);
    if (went < HINDERED) {
      const got = inFlight * went;
      const before = this.room[slot]!;
      const believed = 1 - Math.exp(-elapsedMs / ADJUST_MS);
      // By times alone a collapse is a stall: no noise, and each window of doubt sends it more. Where utilisation is told it may as
      // well have been a pause that is over.
      const collapsed = went < COLLAPSED && !(utilization > 0);
      this.#collapsed[slot] = collapsed ? 1 : 0;
      this.room[slot] = Number.isNaN(before) || collapsed ? got : before + believed * (got - before);
      // Little's law for the part that got on. Without it a backend whose first window held short requests only would look
      // fast, be flooded, and so never have an unhindered window to learn better from. By residence alone the part follows
      // from T and tells nothing of it; then T gives way a little, so that no wrong one lasts.
      const gotMs = utilization > 0 ? residenceMs * went : this.serviceMs[slot]! * DRIFT;
      this.#learnService(slot, gotMs, perSecond);
    } else {
      this.#collapsed[slot] = 0;
      this.#proven[slot] = Math.max(this.#proven[slot]! * (1 - NEWEST), inFlight);
      this.#grow(slot, elapsedMs);
      this.room[slot] = Math.max(Number.isNaN(this.room[slot]!) ? 0 : this.room[slot]!, inFlight);
      const waited = !(utilization > 0) && residenceMs > this.serviceMs[slot]!;
      this.#learnService(slot, residenceMs, waited ? UPWARDS * perSecond : perSecond);
    }
    const room = this.room[slot]!;
    const usually = this.#usualRoom[slot]!;
    this.#usualRoom[slot] = Number.isNaN(usually) ? room : usually + USUAL_ROOM * (room - usually);
    this.#fleetRoom = Number.isNaN(this.#fleetRoom)
      ? room
      : this.#fleetRoom + 0.01 * (room - this.#fleetRoom);
  }

  /** What the backend says of how long a request takes there; counts when it has room, else queues are in it. */
  told(slot: number, latencyMs: number, inFlight: number): void {
    if (!(latencyMs > 0) || !(latencyMs < Number.POSITIVE_INFINITY)) return;
    if (!(inFlight < (this.room[slot]! || 1))) return;
    const before = this.#wordMs[slot]!;
    this.#wordMs[slot] = Number.isNaN(before) ? latencyMs : before + NEWEST_WORD * (latencyMs - before);
  }

  /**
   * T, drawn towards the backend's own word, or else the fleet's mean, by as much as it may be chance: choosing the lowest of
   * many estimates would else mostly choose the luckiest (James and Stein 1961).
   */
  serviceOf(slot: number, nowMs: number): number {
    const answers = this.#answers[slot]!;
    const wordMs = this.#wordMs[slot]!;
    const told = !Number.isNaN(wordMs);
    if (answers === 0 && !told) return Number.isNaN(this.#fleetLog) ? 1 : Math.exp(this.#fleetLog);
    const silentMs = nowMs - this.#answeredMs[slot]! - HOLDS_MS;
    const fading = silentMs > 0 ? Math.exp(-silentMs / (told ? this.#fadeMs : FADE_MS)) : 1;
    if (told) return (fading * (this.#tookMs[slot]! + WORD * wordMs)) / (answers + WORD);
    const apart = Math.log(this.serviceMs[slot]! * fading) - this.#fleetLog;
    return Math.exp(this.#fleetLog + (apart * apart * apart) / (apart * apart + 1 / answers));
  }

  /** Something was learnt of this backend, or of another that it can be likened to. */
  knows(slot: number): boolean {
    return !Number.isNaN(this.serviceMs[slot]!) || !Number.isNaN(this.#fleetLog);
  }

  roomOf(slot: number, nowMs: number): number {
    const own = this.room[slot]!;
    if (Number.isNaN(own)) return Number.isNaN(this.#fleetRoom) ? 1 : this.#fleetRoom;
    const usually = this.#usualRoom[slot]!;
    const agedMs = nowMs - this.#atMs[slot]! - ROOM_HOLDS_MS;
    if (!(agedMs > 0) || !(usually > 0)) return Math.max(own, LEAST_ROOM);
    const fadesMs = this.#collapsed[slot] === 1 ? COLLAPSE_FADES_MS : ROOM_FADES_MS;
    const now = usually * (own / usually) ** Math.exp(-agedMs / fadesMs);
    return Math.max(now, LEAST_ROOM);
  }

  /** Another backend is in the slot from now on; of the fleet nothing is forgotten. */
  forget(slot: number): void {
    this.serviceMs[slot] = Number.NaN;
    this.room[slot] = Number.NaN;
    this.#answers[slot] = 0;
    this.#tookMs[slot] = 0;
    this.#answeredMs[slot] = 0;
    this.#wordMs[slot] = Number.NaN;
    this.#usualRoom[slot] = Number.NaN;
    this.#collapsed[slot] = 0;
    this.#usual[slot] = Number.NaN;
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
    if (went >= HINDERED) this.#usual[slot] = usual + (went > 1 ? RISES : FALLS) * (ratio - usual);
    return Math.min(1, went);
  }

  #grow(slot: number, elapsedMs: number): void {
    // The allocation where it is known; else what the others have, since a newcomer is more likely like them than tiny.
    const allocated = 1 / this.#usual[slot]!;
    const known = Number.isNaN(allocated) ? 1 : allocated;
    const before = this.room[slot]!;
    if (Number.isNaN(before)) {
      this.room[slot] = known === 1 && !Number.isNaN(this.#fleetRoom) ? this.#fleetRoom : known;
      return;
    }
    const usually = this.#usualRoom[slot]!;
    if (before < usually && elapsedMs > 0) {
      this.room[slot] = usually * (before / usually) ** Math.exp(-elapsedMs / RETURNS_MS);
      return;
    }
    // Not of the fleet's: it would grow with the rooms that it bounds.
    const most = Math.max(before, BEYOND * Math.max(known, this.#proven[slot]!));
    this.room[slot] = Math.min(most, before * GROWTH_PER_S ** (elapsedMs / 1000));
  }

  /** A window counts by its answers. */
  #learnService(slot: number, residenceMs: number, answers: number): void {
    const before = this.#answers[slot]!;
    // What has become slow is sent little and answers less: by their answers alone new windows would never outweigh the old.
    const kept =
      residenceMs > SLOWED * this.serviceMs[slot]! ? Math.min(before, STILL_WORTH) : before * OLDER;
    const tookMs = before === 0 ? 0 : (kept / before) * this.#tookMs[slot]!;
    this.#answers[slot] = kept + answers;
    this.#tookMs[slot] = tookMs + residenceMs * answers;
    this.serviceMs[slot] = this.#tookMs[slot]! / this.#answers[slot]!;
    const log = Math.log(this.serviceMs[slot]!);
    this.#fleetLog = Number.isNaN(this.#fleetLog) ? log : this.#fleetLog + 0.01 * (log - this.#fleetLog);
  }
}
