// What waits for the collector: bounded, one batch on its way at a time, and what cannot be kept is dropped and counted.

import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';

/** The shape all OTLP exporters have; code 0 is success. */
export interface BatchExporter<T> {
  export(
    items: T,
    done: (result: { readonly code: number; readonly error?: Error | undefined }) => void,
  ): void;
  shutdown(): Promise<void>;
}

/** Says once that a collector is lost, and once that it is back, per signal. */
export class CollectorHealth {
  readonly #log: Log;
  readonly #signal: string;
  readonly #endpoint: string;
  #failing = false;

  constructor(log: Log, signal: string, endpoint: string) {
    this.#log = log;
    this.#signal = signal;
    this.#endpoint = endpoint;
  }

  succeeded(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#log.info('the telemetry collector takes data again', {
      signal: this.#signal,
      endpoint: this.#endpoint,
    });
  }

  failed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#log.warn('the telemetry collector does not take data; what does not fit meanwhile is dropped', {
      signal: this.#signal,
      endpoint: this.#endpoint,
      reason: reasonOf(error),
    });
  }
}

/** A refused connection to a name with several addresses comes as an AggregateError whose own message is empty. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return messageOf(error ?? 'unknown');
}

/** Runs one export and resolves with whether it went well; an exporter that throws is one that failed. */
export function exportOnce<T>(
  exporter: BatchExporter<T>,
  items: T,
  health: CollectorHealth,
): Promise<boolean> {
  return new Promise(resolve => {
    const done = (code: number, error: unknown): void => {
      if (code === 0) health.succeeded();
      else health.failed(error);
      resolve(code === 0);
    };
    try {
      exporter.export(items, result => done(result.code, result.error));
    } catch (error) {
      done(1, error);
    }
  });
}

export interface QueueBounds {
  readonly maxWaiting: number;
  readonly batchSize: number;
  /** An incomplete batch goes after this; also the pause after a failure. */
  readonly flushMs: number;
}

export class ExportQueue<T> {
  readonly #exporter: BatchExporter<T[]>;
  readonly #clock: Clock;
  readonly #health: CollectorHealth;
  readonly #bounds: QueueBounds;
  #waiting: T[] = [];
  #timer: Disposable | null = null;
  #running: Promise<void> | null = null;
  #dropped = 0;
  #closed = false;

  constructor(exporter: BatchExporter<T[]>, clock: Clock, health: CollectorHealth, bounds: QueueBounds) {
    this.#exporter = exporter;
    this.#clock = clock;
    this.#health = health;
    this.#bounds = bounds;
  }

  /** Since the start: what did not fit, and what the collector refused after the exporter's own retries. */
  get dropped(): number {
    return this.#dropped;
  }

  push(item: T): void {
    if (this.#closed || this.#waiting.length >= this.#bounds.maxWaiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(item);
    if (this.#running !== null) return;
    if (this.#waiting.length >= this.#bounds.batchSize) this.#start();
    else this.#timer ??= this.#clock.after(this.#bounds.flushMs, () => this.#start());
  }

  /** Sends all that waits, takes nothing more, and ends. The caller bounds how long it waits for this. */
  async drain(): Promise<void> {
    this.#closed = true;
    await this.#running;
    while (this.#waiting.length > 0) if (!(await this.#exportBatch())) break;
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
    this.#stopTimer();
    await this.#exporter.shutdown().catch(() => {});
  }

  #start(): void {
    this.#stopTimer();
    if (this.#running !== null || this.#waiting.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (!this.#closed && this.#waiting.length > 0)
        this.#timer ??= this.#clock.after(this.#bounds.flushMs, () => this.#start());
    });
  }

  async #run(): Promise<void> {
    // Full batches follow each other; the rest, and everything after a failure, waits for the timer.
    do {
      if (!(await this.#exportBatch())) return;
    } while (!this.#closed && this.#waiting.length >= this.#bounds.batchSize);
  }

  async #exportBatch(): Promise<boolean> {
    const batch = this.#waiting.splice(0, this.#bounds.batchSize);
    const ok = await exportOnce(this.#exporter, batch, this.#health);
    if (!ok) this.#dropped += batch.length;
    return ok;
  }

  #stopTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
  }
}
