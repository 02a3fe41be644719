// What an example backend says of its load to a proxy that asks: an ORCA report in a header of the answer.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import { REPORT_FIELD, REPORT_FORMAT_FIELD } from '../../core/orca/parse.ts';

/** CPU is measured over at least this. */
const WINDOW_MS = 500;

export class OwnLoad {
  readonly #clock: Clock;
  #inFlight = 0;
  #fromMs: number;
  #usage = process.cpuUsage();
  #cpu = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#fromMs = clock.monotonicMs();
  }

  /** Counts the request, and reports with its answer where that is asked for. */
  report(request: IncomingMessage, response: ServerResponse): void {
    this.#inFlight += 1;
    response.on('close', () => {
      this.#inFlight -= 1;
    });
    if (request.headers[REPORT_FORMAT_FIELD] !== 'TEXT') return;
    this.#measure();
    const cpu = this.#cpu.toFixed(3);
    response.setHeader(REPORT_FIELD, `TEXT cpu_utilization=${cpu},named_metrics.in_flight=${this.#inFlight}`);
  }

  #measure(): void {
    const elapsedMs = this.#clock.monotonicMs() - this.#fromMs;
    if (elapsedMs < WINDOW_MS) return;
    const { user, system } = process.cpuUsage(this.#usage);
    this.#cpu = (user + system) / 1000 / elapsedMs;
    this.#usage = process.cpuUsage();
    this.#fromMs += elapsedMs;
  }
}
