// Whether what a backend reports can be true, by what the proxy sees of it (F8).

import type { Second } from './observed.ts';
import type { BackendSignals, Reading } from './signals.ts';

/** `contradicts`: calm reports while latency and work in flight have multiplied. `absurd`: no share. `silent`: it used to report. */
export type Doubt = 'none' | 'contradicts' | 'absurd' | 'silent';

/** A report older than this counts no more; until then its age widens the forecast. */
export const SILENT_MS = 10_000;
/** A share of capacity beyond this is none. */
const MOST = 8;
/** Latency and in flight over their usual, both. */
const MULTIPLIED = 2.5;
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
/** Share of a second in the usual: a minute's memory, ten minutes' while in doubt, so that no lie becomes usual soon. */
const NEWEST = 1 / 60;
const NEWEST_IN_DOUBT = 1 / 600;

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
  #lastAbsurdMs = Number.NEGATIVE_INFINITY;

  /** Once a whole second. */
  check(seen: Second, signals: BackendSignals): void {
    const readings = CLAIMS.flatMap(kind => signals[kind] ?? []);
    if (readings.length === 0) {
      this.doubt = 'none';
      return;
    }
    const { atMs } = seen;
    if (readings.some(reading => !isShare(reading.value) && atMs - reading.atMs <= SILENT_MS))
      this.#lastAbsurdMs = atMs;
    const claimed = claimOf(signals, atMs);
    const absurd = atMs - this.#lastAbsurdMs < SILENT_MS;
    if (claimed === null) {
      this.doubt = absurd ? 'absurd' : 'silent';
      return;
    }
    // Nobody asked it anything: that speaks neither for it nor against. But it does report.
    if (!(seen.latencyMs >= 0)) {
      if (this.doubt !== 'contradicts') this.doubt = absurd ? 'absurd' : 'none';
      return;
    }
    const contradicted = this.#contradicted(seen, claimed);
    this.#against = contradicted ? this.#against + 1 : 0;
    this.#agreed = contradicted ? 0 : this.#agreed + 1;
    const doubted = this.doubt === 'contradicts';
    const contradicts = doubted ? this.#agreed < SECONDS_TO_BELIEVE : this.#against >= SECONDS_TO_DOUBT;
    if (contradicts) this.doubt = 'contradicts';
    else this.doubt = absurd ? 'absurd' : 'none';
    this.#learn(seen, claimed, contradicted);
  }

  #contradicted({ latencyMs, inFlight }: Second, claimed: number): boolean {
    return (
      this.#seconds >= SETTLED &&
      latencyMs > MULTIPLIED * this.#latencyMs &&
      inFlight >= LEAST_IN_FLIGHT &&
      inFlight > MULTIPLIED * this.#inFlight &&
      claimed < CALM &&
      claimed < NOTICED * this.#claimed + NOTICED_BY
    );
  }

  #learn({ latencyMs, inFlight }: Second, claimed: number, contradicted: boolean): void {
    this.#seconds += 1;
    // Evenly at first, so that the first second weighs no more than the next. A lie has no such start.
    const share = contradicted ? NEWEST_IN_DOUBT : Math.max(NEWEST, 1 / this.#seconds);
    this.#latencyMs += share * (latencyMs - this.#latencyMs);
    this.#inFlight += share * (inFlight - this.#inFlight);
    this.#claimed += share * (claimed - this.#claimed);
  }
}

/** The largest share claimed of late; null when there is none. */
function claimOf(signals: BackendSignals, nowMs: number): number | null {
  let claimed: number | null = null;
  for (const kind of CLAIMS) {
    const reading: Reading | null = signals[kind];
    if (reading === null || !isShare(reading.value) || nowMs - reading.atMs > SILENT_MS) continue;
    // Memory that is full of caches is no load.
    if (kind !== 'memory') claimed = Math.max(claimed ?? 0, reading.value);
    else claimed ??= 0;
  }
  return claimed;
}
