// What a backend says of itself: requests in flight as of now, the rest from its last window, with noise.

import type { Random } from '../../core/random.ts';
import type { LoadReport } from '../../plan/balance/learner.ts';
import { logNormal } from '../chance.ts';
import { LatencyByLoad } from './latency-by-load.ts';
import type { Server } from './server.ts';

export class Reporter {
  /** Called with each answer; null for nobody. */
  onAnswer: (() => void) | null = null;
  readonly #server: Server;
  readonly #random: Random;
  readonly #noise: number;
  readonly #allocatedCores: number;
  readonly #latency = new LatencyByLoad();
  #answers = 0;
  /** NaN until the first window begins: the servers of a world have been there before, and half a window is none. */
  #windowFromMs = Number.NaN;
  #presentMs = 0;
  #usedCoreMs = 0;
  #meanInFlight = Number.NaN;
  #requestsPerSecond = Number.NaN;
  #utilization = Number.NaN;

  /** `noise`: deviation of the logarithm of what a window says; a count of requests is exact. */
  constructor(server: Server, allocatedCores: number, noise: number, random: Random) {
    this.#server = server;
    this.#allocatedCores = allocatedCores;
    this.#noise = noise;
    this.#random = random;
  }

  answered(foundInFlight: number, latencyMs: number): void {
    this.#answers += 1;
    this.#latency.add(foundInFlight, latencyMs);
    this.onAnswer?.();
  }

  /** Ends the window that runs and begins the next. */
  closeWindow(nowMs: number): void {
    const elapsedMs = nowMs - this.#windowFromMs;
    if (elapsedMs <= 0) return;
    const server = this.#server;
    server.advance();
    if (Number.isNaN(elapsedMs)) return this.#begin(nowMs);
    const noise = (): number => logNormal(this.#random, this.#noise);
    this.#meanInFlight = ((server.presentMs - this.#presentMs) / elapsedMs) * noise();
    this.#requestsPerSecond = (this.#answers / elapsedMs) * 1000 * noise();
    const cores = (server.usedCoreMs - this.#usedCoreMs) / elapsedMs;
    this.#utilization = (cores / this.#allocatedCores) * noise();
    this.#begin(nowMs);
  }

  #begin(nowMs: number): void {
    this.#presentMs = this.#server.presentMs;
    this.#usedCoreMs = this.#server.usedCoreMs;
    this.#answers = 0;
    this.#windowFromMs = nowMs;
  }

  write(report: LoadReport): void {
    report.inFlight = this.#server.present;
    report.meanInFlight = this.#meanInFlight;
    report.requestsPerSecond = this.#requestsPerSecond;
    report.utilization = this.#utilization;
    report.latencyMs = this.#latency.at(this.#server.present);
  }
}
