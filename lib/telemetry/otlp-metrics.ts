// The scoreboard as OTLP metrics: what the workers counted in shared memory becomes data points, without instruments in between.
//
// OpenTelemetry has no observable histogram, and recording every request in an instrument would cost 1 µs each on the one control thread.
// The data points themselves are plain objects, and the exporter takes them as they are.

import {
  type BackendTotals,
  type ControlBoard,
  DURATION_BOUNDS_S,
  type HistogramView,
  WORKER_COUNTERS,
  WORKER_GAUGES,
  type WorkerCounter,
} from '../scoreboard/ports.ts';
import { type ForecastSource, forecastMetrics } from './otlp-forecasts.ts';
import { hrTime, type OtlpMetrics, type Resource, type Scope } from './otlp-packages.ts';
import {
  type Attributes,
  CUMULATIVE,
  DOUBLE,
  type Metric,
  type Point,
  type Span,
  sum,
} from './otlp-points.ts';
import { type SignalsSource, signalMetrics } from './otlp-signals.ts';

/** What the metrics are read from; the composition root gives the names that belong to the board's indices. */
export interface MetricsSource {
  readonly board: Pick<
    ControlBoard,
    'requestHistogram' | 'backendHistogram' | 'totals' | 'inFlight' | 'tunnels' | 'worker'
  >;
  /** Name and place on the board of each route. */
  routes(): Iterable<readonly [string, number]>;
  /** Of the snapshot in use. */
  backends(): readonly {
    readonly cluster: string;
    readonly id: string;
    readonly url: string;
    readonly slot: number;
  }[];
  forecasts(): readonly ForecastSource[];
  /** What these backends say of their load. */
  signals(cluster: string, backend: string): SignalsSource;
  /** Rows of the scoreboard that workers have or had. */
  workerRows(): readonly number[];
}

/** Value of the SDK's enumeration (sdk-metrics MetricData). */
const HISTOGRAM = 0;

const STATUS_CLASSES = [1, 2, 3, 4, 5] as const;
const OUTCOMES = [
  ['success', 'successes'],
  ['server_error', 'serverErrors'],
  ['failure', 'failures'],
  ['cancelled', 'cancelled'],
] as const satisfies readonly (readonly [string, keyof BackendTotals])[];

/** Everything as of now. `dropped` is what telemetry itself lost, by signal. */
export function collectMetrics(
  source: MetricsSource,
  resource: Resource,
  scope: Scope,
  startMs: number,
  nowMs: number,
  dropped: Readonly<Record<string, number>>,
): OtlpMetrics {
  const span = { startTime: hrTime(startMs), endTime: hrTime(nowMs) };
  const metrics = [
    ...requestMetrics(source, span),
    ...backendMetrics(source, span),
    ...forecastMetrics(source.forecasts(), span),
    ...signalMetrics(
      source.backends().map(({ cluster, id }) => ({ cluster, id, ...source.signals(cluster, id) })),
      span,
    ),
    ...workerMetrics(source, span),
    sum('leaseway.telemetry.dropped', 'Spans and logs that were not exported', '{item}', true, span, [
      ...Object.entries(dropped).map(([signal, value]) => ({
        attributes: { 'leaseway.signal': signal },
        value,
      })),
    ]),
  ];
  return {
    resource,
    scopeMetrics: [{ scope, metrics: metrics.filter(metric => metric.dataPoints.length > 0) }],
  };
}

function requestMetrics({ board, routes }: MetricsSource, span: Span): Metric[] {
  const durations: Point<HistogramView>[] = [];
  for (const [route, slot] of routes()) {
    for (const statusClass of STATUS_CLASSES) {
      const view = board.requestHistogram(slot, statusClass);
      if (countOf(view) === 0) continue;
      const attributes: Attributes = { 'http.route': route, 'leaseway.status_class': `${statusClass}xx` };
      if (statusClass === 5) attributes['error.type'] = '5xx';
      durations.push({ attributes, value: view });
    }
  }
  return [
    histogram('http.server.request.duration', 'Duration of HTTP server requests', span, durations),
    bytes('leaseway.server.received', 'Body bytes from clients', span, durations, 'bytesIn'),
    bytes('leaseway.server.sent', 'Body bytes to clients', span, durations, 'bytesOut'),
  ];
}

function backendMetrics({ board, backends }: MetricsSource, span: Span): Metric[] {
  const all = backends().map(backend => ({ ...backend, attributes: backendAttributes(backend) }));
  const each = (read: (slot: number) => number): Point<number>[] =>
    all.map(({ slot, attributes }) => ({ attributes, value: read(slot) }));
  const attempts = all.flatMap(({ slot, attributes }) => {
    const totals = board.totals(slot);
    return OUTCOMES.map(([outcome, field]) => ({
      attributes: { ...attributes, 'leaseway.outcome': outcome },
      value: totals[field],
    }));
  });
  const latencies = all
    .map(({ slot, attributes }) => ({ attributes, value: board.backendHistogram(slot) }))
    .filter(({ value }) => countOf(value) > 0);
  return [
    histogram('leaseway.backend.latency', 'Until the head of the answer, per attempt', span, latencies),
    sum('leaseway.backend.attempts', 'Attempts by outcome', '{attempt}', true, span, attempts),
    sum(
      'leaseway.backend.in_flight',
      'Attempts in flight',
      '{attempt}',
      false,
      span,
      each(slot => board.inFlight(slot)),
    ),
    sum(
      'leaseway.backend.tunnels',
      'Open WebSockets',
      '{connection}',
      false,
      span,
      each(slot => board.tunnels(slot)),
    ),
  ];
}

/** Summed over workers: which worker counted is of no use to anyone, and rows change hands. */
function workerMetrics({ board, workerRows }: MetricsSource, span: Span): Metric[] {
  const rows = workerRows().map(row => board.worker(row));
  const total = (counter: WorkerCounter): Point<number>[] =>
    rows.length === 0 ? [] : [{ attributes: {}, value: rows.reduce((all, row) => all + row[counter], 0) }];
  const named = (counter: WorkerCounter, monotonic: boolean): Metric =>
    sum(`leaseway.${snakeCase(counter)}`, `Over all workers`, '1', monotonic, span, total(counter));
  return [
    ...WORKER_GAUGES.map(gauge => named(gauge, false)),
    ...WORKER_COUNTERS.map(counter => named(counter, true)),
  ];
}

function histogram(
  name: string,
  description: string,
  span: Span,
  points: readonly Point<HistogramView>[],
): Metric {
  return {
    descriptor: { name, description, unit: 's', valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
    dataPointType: HISTOGRAM,
    dataPoints: points.map(({ attributes, value }) => ({
      ...span,
      attributes,
      value: {
        buckets: { boundaries: [...DURATION_BOUNDS_S], counts: [...value.counts] },
        sum: value.sumS,
        count: countOf(value),
      },
    })),
  };
}

function bytes(
  name: string,
  description: string,
  span: Span,
  points: readonly Point<HistogramView>[],
  field: 'bytesIn' | 'bytesOut',
): Metric {
  return sum(
    name,
    description,
    'By',
    true,
    span,
    points.map(({ attributes, value }) => ({ attributes, value: value[field] })),
  );
}

const countOf = (view: HistogramView): number => view.counts.reduce((total, count) => total + count, 0);
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

function backendAttributes(backend: { cluster: string; id: string; url: string }): Attributes {
  const { hostname, port, protocol } = new URL(backend.url);
  return {
    'leaseway.cluster': backend.cluster,
    'leaseway.backend': backend.id,
    'server.address': hostname.replace(/^\[|\]$/g, ''),
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}
