// Requests and probes under way, in columns: a row is taken, filled, and used again when it ends.

import type { LoadReport } from '../../plan/balance/learner.ts';

/** Under way at once; a world in which more pile up has run away. */
const MOST = 2 ** 20;
const INITIAL = 4096;

/** Where a request is. */
export const Place = { free: 0, toServer: 1, asleep: 2, atServer: 3, toProxy: 4, inLine: 5 } as const;

export class RequestTable {
  proxy = new Int32Array(INITIAL);
  server = new Int32Array(INITIAL);
  place = new Uint8Array(INITIAL);
  /** 1 when the backend answered with an error. */
  failed = new Uint8Array(INITIAL);
  /** 1 when it came after the warm-up. */
  counted = new Uint8Array(INITIAL);
  /** Rises when the row ends: an event for an older one is void. */
  generation = new Int32Array(INITIAL);
  startMs = new Float64Array(INITIAL);
  /** When it was sent to a server: later than it came if it waited in line. */
  sentMs = new Float64Array(INITIAL);
  arrivedMs = new Float64Array(INITIAL);
  foundInFlight = new Int32Array(INITIAL);
  sleepMs = new Float64Array(INITIAL);
  workMs = new Float64Array(INITIAL);
  thereMs = new Float64Array(INITIAL);
  backMs = new Float64Array(INITIAL);
  #reports = new Float64Array(INITIAL * 5);
  #next = new Int32Array(INITIAL);
  #free = -1;

  constructor() {
    this.#chainFree(0);
  }

  take(): number {
    if (this.#free < 0) this.#grow();
    const row = this.#free;
    this.#free = this.#next[row]!;
    return row;
  }

  release(row: number): void {
    this.place[row] = Place.free;
    this.generation[row]! += 1;
    this.#next[row] = this.#free;
    this.#free = row;
  }

  keepReport(row: number, report: LoadReport): void {
    const at = row * 5;
    this.#reports[at] = report.inFlight;
    this.#reports[at + 1] = report.meanInFlight;
    this.#reports[at + 2] = report.requestsPerSecond;
    this.#reports[at + 3] = report.utilization;
    this.#reports[at + 4] = report.latencyMs;
  }

  readReport(row: number, report: LoadReport): void {
    const at = row * 5;
    report.inFlight = this.#reports[at]!;
    report.meanInFlight = this.#reports[at + 1]!;
    report.requestsPerSecond = this.#reports[at + 2]!;
    report.utilization = this.#reports[at + 3]!;
    report.latencyMs = this.#reports[at + 4]!;
  }

  #chainFree(from: number): void {
    for (let row = from; row < this.#next.length; row++)
      this.#next[row] = row + 1 < this.#next.length ? row + 1 : -1;
    this.#free = from;
  }

  #grow(): void {
    const before = this.proxy.length;
    const after = before * 2;
    if (after > MOST)
      throw new RangeError(`more than ${MOST / 2} requests under way: this world has run away`);
    this.proxy = grown(this.proxy, after);
    this.server = grown(this.server, after);
    this.place = grown(this.place, after);
    this.failed = grown(this.failed, after);
    this.counted = grown(this.counted, after);
    this.generation = grown(this.generation, after);
    this.startMs = grown(this.startMs, after);
    this.sentMs = grown(this.sentMs, after);
    this.arrivedMs = grown(this.arrivedMs, after);
    this.foundInFlight = grown(this.foundInFlight, after);
    this.sleepMs = grown(this.sleepMs, after);
    this.workMs = grown(this.workMs, after);
    this.thereMs = grown(this.thereMs, after);
    this.backMs = grown(this.backMs, after);
    this.#reports = grown(this.#reports, after * 5);
    this.#next = grown(this.#next, after);
    this.#chainFree(before);
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(old: T, length: number): T {
  const larger = new (old.constructor as new (length: number) => T)(length);
  larger.set(old);
  return larger;
}
