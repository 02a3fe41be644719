// The control plane's telemetry: takes spans from the workers, reads metrics off the scoreboard, and sends both by OTLP.

import { randomUUID } from 'node:crypto';
import type { TelemetryConfig } from '../config/proxy.ts';
import { type Clock, every } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { SpanRecord } from '../orders/messages.ts';
import { CollectorHealth, ExportQueue, exportOnce } from './export-queue.ts';
import type { LogEntry } from './log.ts';
import { collectMetrics, type MetricsSource } from './otlp-metrics.ts';
import { loadExporters, type OtlpExporters, type OtlpProtocol } from './otlp-packages.ts';
import { toOtlpLog, toOtlpSpan } from './otlp-records.ts';

/** Nothing of it throws or waits: a collector that is slow, wrong or gone costs dropped telemetry and nothing else. */
export interface TelemetryExporter extends AsyncDisposable {
  /** The spans of one report. Acknowledge it to the worker right after this call. */
  spans(records: readonly SpanRecord[]): void;
  /** One of leaseway's own messages; those below `warn` are not exported. */
  log(entry: LogEntry): void;
  /** Since the start, by signal. */
  readonly dropped: { readonly traces: number; readonly logs: number };
}

export interface ExporterOptions {
  readonly config: TelemetryConfig;
  readonly source: MetricsSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** When the counters on the scoreboard were zero, Unix ms. */
  readonly startMs: number;
  /** OTEL_EXPORTER_OTLP_PROTOCOL, else protobuf, which every collector takes. */
  readonly protocol?: OtlpProtocol;
  /** For one batch, the exporter's own retries included; 10 s when left out. */
  readonly exportTimeoutMs?: number;
}

const SPAN_BOUNDS = { maxWaiting: 16_384, batchSize: 512, flushMs: 1_000 };
const LOG_BOUNDS = { maxWaiting: 1_024, batchSize: 128, flushMs: 1_000 };
const EXPORT_TIMEOUT_MS = 10_000;
/** For the last words when leaseway stops. */
const FLUSH_WITHIN_MS = 2_000;

/** Without `telemetry.otlp` nothing is loaded and everything is ignored. */
export async function startExporter(options: ExporterOptions): Promise<TelemetryExporter> {
  const { config, log } = options;
  if (config.otlp === undefined) return silentExporter;
  try {
    const exporters = await loadExporters({
      endpoint: config.otlp.endpoint,
      headers: config.otlp.headers,
      protocol: options.protocol ?? protocolFromEnvironment(),
      timeoutMs: options.exportTimeoutMs ?? EXPORT_TIMEOUT_MS,
      resource: {
        'service.name': config.service_name,
        'service.version': options.version,
        // Two processes of one upgrade are two instances: their counters must not be taken for one stream.
        'service.instance.id': randomUUID(),
        'process.pid': process.pid,
      },
    });
    return new OtlpExporter(options, config.otlp, exporters);
  } catch (error) {
    log.error('telemetry is not exported: its packages cannot be loaded', { reason: messageOf(error) });
    return silentExporter;
  }
}

/** Of a configuration without a collector. */
export const silentExporter: TelemetryExporter = {
  spans() {},
  log() {},
  dropped: { traces: 0, logs: 0 },
  async [Symbol.asyncDispose]() {},
};

class OtlpExporter implements TelemetryExporter {
  readonly #options: ExporterOptions;
  readonly #exporters: OtlpExporters;
  readonly #spans: ExportQueue<Parameters<OtlpExporters['spans']['export']>[0][number]>;
  readonly #logs: ExportQueue<Parameters<OtlpExporters['logs']['export']>[0][number]>;
  readonly #metricsHealth: CollectorHealth;
  readonly #timer: Disposable;
  readonly #scope;
  #metricsUnderWay: Promise<boolean> | null = null;

  constructor(
    options: ExporterOptions,
    otlp: NonNullable<TelemetryConfig['otlp']>,
    exporters: OtlpExporters,
  ) {
    const { clock, log } = options;
    const health = (signal: string): CollectorHealth => new CollectorHealth(log, signal, otlp.endpoint);
    this.#options = options;
    this.#exporters = exporters;
    this.#scope = { name: 'leaseway', version: options.version };
    this.#spans = new ExportQueue(exporters.spans, clock, health('traces'), SPAN_BOUNDS);
    this.#logs = new ExportQueue(exporters.logs, clock, health('logs'), LOG_BOUNDS);
    this.#metricsHealth = health('metrics');
    this.#timer = every(clock, Math.max(otlp.interval, 100), () => void this.#exportMetrics());
  }

  get dropped(): { readonly traces: number; readonly logs: number } {
    return { traces: this.#spans.dropped, logs: this.#logs.dropped };
  }

  spans(records: readonly SpanRecord[]): void {
    for (const record of records) this.#spans.push(toOtlpSpan(record, this.#exporters.resource, this.#scope));
  }

  log(entry: LogEntry): void {
    if (entry.level !== 'warn' && entry.level !== 'error') return;
    this.#logs.push(toOtlpLog(entry, this.#exporters.resource, this.#scope));
  }

  /** Sends what waits and the last metrics, but no longer than two seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    const last = async (): Promise<void> => {
      await this.#metricsUnderWay;
      await this.#exportMetrics();
      await this.#exporters.metrics.shutdown().catch(() => {});
    };
    await new Promise<void>(resolve => {
      const deadline = this.#options.clock.after(FLUSH_WITHIN_MS, resolve);
      void Promise.allSettled([this.#spans.drain(), this.#logs.drain(), last()]).then(() => {
        deadline[Symbol.dispose]();
        resolve();
      });
    });
  }

  async #exportMetrics(): Promise<void> {
    // A slow collector gets fewer points, never a queue of them: they are cumulative.
    if (this.#metricsUnderWay !== null) return;
    const { source, startMs, clock, log } = this.#options;
    try {
      const metrics = collectMetrics(
        source,
        this.#exporters.resource,
        this.#scope,
        startMs,
        clock.wallMs(),
        this.dropped,
      );
      this.#metricsUnderWay = exportOnce(this.#exporters.metrics, metrics, this.#metricsHealth);
      await this.#metricsUnderWay;
    } catch (error) {
      log.error('metrics could not be read for export', { reason: messageOf(error) });
    } finally {
      this.#metricsUnderWay = null;
    }
  }
}

const protocolFromEnvironment = (): OtlpProtocol =>
  process.env.OTEL_EXPORTER_OTLP_PROTOCOL === 'http/json' ? 'http/json' : 'http/protobuf';
