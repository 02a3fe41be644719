// The one door to the OpenTelemetry packages: loaded only when a collector is configured, and only the encoding that is asked for.

import type { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import type { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Resource } from '@opentelemetry/resources';

export type { Resource };
/** What the exporters take, as their own types have it. */
export type OtlpSpan = Parameters<OTLPTraceExporter['export']>[0][number];
export type OtlpMetrics = Parameters<OTLPMetricExporter['export']>[0];
export type OtlpLogRecord = Parameters<OTLPLogExporter['export']>[0][number];
export type Scope = OtlpSpan['instrumentationScope'];
export type HrTime = OtlpSpan['startTime'];

export type OtlpProtocol = 'http/protobuf' | 'http/json';

export interface OtlpExporters {
  readonly spans: OTLPTraceExporter;
  /** The two encodings' classes differ only in private fields. */
  readonly metrics: Pick<OTLPMetricExporter, 'export' | 'shutdown'>;
  readonly logs: OTLPLogExporter;
  readonly resource: Resource;
}

export interface OtlpTarget {
  /** Base URL; `/v1/traces` and so on are added. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocol: OtlpProtocol;
  readonly timeoutMs: number;
  /** Added to what OTEL_RESOURCE_ATTRIBUTES says, and stronger. */
  readonly resource: Readonly<Record<string, string | number>>;
}

/** 65 ms and 29 MB, once; see this folder's README. */
export async function loadExporters(target: OtlpTarget): Promise<OtlpExporters> {
  const json = target.protocol === 'http/json';
  const [traces, metrics, logs, resources] = await Promise.all([
    json
      ? import('@opentelemetry/exporter-trace-otlp-http')
      : import('@opentelemetry/exporter-trace-otlp-proto'),
    json
      ? import('@opentelemetry/exporter-metrics-otlp-http')
      : import('@opentelemetry/exporter-metrics-otlp-proto'),
    json
      ? import('@opentelemetry/exporter-logs-otlp-http')
      : import('@opentelemetry/exporter-logs-otlp-proto'),
    import('@opentelemetry/resources'),
  ]);
  const options = (signal: string) => ({
    url: `${target.endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    headers: { ...target.headers },
    timeoutMillis: target.timeoutMs,
    // ExportQueue sends one batch at a time; the last flush may overlap it.
    concurrencyLimit: 4,
  });
  return {
    spans: new traces.OTLPTraceExporter(options('traces')),
    metrics: new metrics.OTLPMetricExporter(options('metrics')),
    logs: new logs.OTLPLogExporter(options('logs')),
    resource: resources
      .defaultResource()
      .merge(resources.detectResources({ detectors: [resources.envDetector] }))
      .merge(resources.resourceFromAttributes({ ...target.resource })),
  };
}

/** Unix milliseconds with fractions as seconds and nanoseconds. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Math.round((ms - seconds * 1_000) * 1e6);
  return nanoseconds >= 1e9 ? [seconds + 1, 0] : [seconds, nanoseconds];
}
