// Whether what a backend reports can be true, by what the proxy sees of it (F8).

import type { Second } from './seconds.ts';
import { type BackendSignals, isCurrent, type Reading, SILENT_MS } from './signals.ts';

/** `contradicts`: calm reports of one that is flooded, or has lost its capacity. `absurd`: no share. `silent`: it used to report. */
export type Doubt = 'none' | 'contradicts' | 'absurd' | 'silent';

/** A share of capacity beyond this is none. */
const MOST = 8;
/** Latency and in flight over their usual, both. */
const MULTIPLIED = 2.5;
/** Of its usual capacity: who has less left is not calm. As long as that, the gate keeps it shut: what is in flight says nothing then. */
const LOST = 0.5;
const LEAST_IN_FLIGHT = 3;
/** Who says more than this does not claim to be calm. */
const CALM = 0.5;
/** Above its own usual by this factor and this much it has noticed by itself. */
const NOTICED = 1.5;
const NOTICED_BY = 0.05;
const SECONDS_TO_DOUBT = 3;
const SECONDS_TO_BELIEVE = 10;
/** Seconds until there is a usual. */
const SETTLED = 30;
/** Share of a second in the usual: a minute's memory, ten minutes' while slow: work comes and goes before it is doubted. */
const NEWEST = 1 / 60;
const NEWEST_WHILE_SLOW = 1 / 600;

/** The shares that a backend claims by itself. */
const CLAIMS = ['cpu', 'application', 'memory', 'network', 'disk'] as const;

export const isShare = (value: number): boolean => value >= 0 && value <= MOST;

export class ReportCheck {
  doubt: Doubt = 'none';
  #seconds = 0;
  #latencyMs = 0;
  #inFlight = 0;
  #claimed = 0;
  #against = 0;
  #agreed = 0;
  #contradicts = false;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #lastAbsurdMs = Number.NEGATIVE_INFINITY;

  /** Once a whole second. `capacity` is what is left of the usual, as far as the proxy has met its end. */
  check(seen: Second, signals: BackendSignals, capacity: number): void {
    const readings = CLAIMS.flatMap(kind => signals[kind] ?? []);
    if (readings.length === 0) {
      this.doubt = 'none';
      return;
    }
    const { atMs } = seen;
    if (readings.some(reading => !isShare(reading.value) && isCurrent(reading, atMs)))
      this.#lastAbsurdMs = atMs;
    const claimed = claimOf(signals, atMs);
    const absurd = atMs - this.#lastAbsurdMs < SILENT_MS;
    const answered = seen.latencyMs >= 0;
    if (answered) this.#answeredMs = atMs;
    if (claimed === null) {
      // Who reports with its answers alone and was asked nothing has kept nothing back.
      const asked = atMs - this.#answeredMs < SILENT_MS || readings.some(({ source }) => source !== 'orca');
      if (absurd) this.doubt = 'absurd';
      else this.doubt = asked ? 'silent' : 'none';
      return;
    }
    const slow = answered && this.#slow(seen);
    const lost = capacity < LOST;
    // Else nobody asked it anything: that speaks neither for it nor against. But it does report.
    if (answered || lost) this.#weigh(((slow && this.#full(seen)) || lost) && this.#calm(claimed));
    if (this.#contradicts) this.doubt = 'contradicts';
    else this.doubt = absurd ? 'absurd' : 'none';
    if (answered) this.#learn(seen, claimed, slow);
  }

  #weigh(against: boolean): void {
    this.#against = against ? this.#against + 1 : 0;
    this.#agreed = against ? 0 : this.#agreed + 1;
    this.#contradicts = this.#contradicts
      ? this.#agreed < SECONDS_TO_BELIEVE
      : this.#against >= SECONDS_TO_DOUBT;
  }

  #slow({ latencyMs }: Second): boolean {
    return this.#seconds >= SETTLED && latencyMs > MULTIPLIED * this.#latencyMs;
  }

  #full({ inFlight }: Second): boolean {
    return inFlight >= LEAST_IN_FLIGHT && inFlight > MULTIPLIED * this.#inFlight;
  }

  #calm(claimed: number): boolean {
    return claimed < CALM && claimed < NOTICED * this.#claimed + NOTICED_BY;
  }

  #learn({ latencyMs, inFlight }: Second, claimed: number, slow: boolean): void {
    this.#seconds += 1;
    // Evenly at first, so that the first second weighs no more than the next. Slowness has no such start.
    const share = slow ? NEWEST_WHILE_SLOW : Math.max(NEWEST, 1 / this.#seconds);
    this.#latencyMs += share * (latencyMs - this.#latencyMs);
    this.#inFlight += share * (inFlight - this.#inFlight);
    // What an honest one says while slow is no measure of calm: it would be doubted as soon as its word was usual.
    if (!slow) this.#claimed += share * (claimed - this.#claimed);
  }
}

/** The largest share claimed of late; null when there is none. */
function claimOf(signals: BackendSignals, nowMs: number): number | null {
  let claimed: number | null = null;
  for (const kind of CLAIMS) {
    const reading: Reading | null = signals[kind];
    if (reading === null || !isShare(reading.value) || !isCurrent(reading, nowMs)) continue;
    // Memory that is full of caches is no load.
    if (kind !== 'memory') claimed = Math.max(claimed ?? 0, reading.value);
    else claimed ??= 0;
  }
  return claimed;
}
