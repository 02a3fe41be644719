// Forecasts as OTLP gauges: what is foreseen of each backend and of all of a cluster, and how good the foresight was.

import type { HrTime, OtlpMetrics } from './otlp-packages.ts';

/** What is exported of a cluster's forecasts; null and NaN where nothing is known yet. */
export interface ForecastSource {
  readonly cluster: string;
  readonly backends: readonly {
    readonly id: string;
    readonly load: number | null;
    readonly predicted: number | null;
  }[];
  readonly quality: readonly {
    readonly horizonMs: number;
    readonly mase: number;
    readonly pinballP50: number;
    readonly pinballP90: number;
    readonly precision: number;
    readonly recall: number;
  }[];
  readonly outlook: {
    readonly horizons: readonly {
      readonly horizonMs: number;
      readonly p50: number;
      readonly p90: number;
      readonly quality: { readonly mase: number };
    }[];
  } | null;
}

type Metric = OtlpMetrics['scopeMetrics'][number]['metrics'][number];
interface Point {
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly value: number | null;
}

/** Values of the SDK's enumerations (sdk-metrics MetricData; api ValueType). */
const GAUGE = 2;
const DOUBLE = 1;

export function forecastMetrics(
  clusters: readonly ForecastSource[],
  span: { readonly startTime: HrTime; readonly endTime: HrTime },
): Metric[] {
  const gauge = (name: string, description: string, points: readonly Point[]): Metric => ({
    descriptor: { name, description, unit: '1', valueType: DOUBLE },
    aggregationTemporality: 1,
    dataPointType: GAUGE,
    dataPoints: points.flatMap(({ attributes, value }) =>
      value === null || Number.isNaN(value) ? [] : [{ ...span, attributes, value }],
    ),
  });
  const each = (field: 'load' | 'predicted'): Point[] =>
    clusters.flatMap(({ cluster, backends }) =>
      backends.map(backend => ({
        attributes: { 'leaseway.cluster': cluster, 'leaseway.backend': backend.id },
        value: backend[field],
      })),
    );
  const judged = (field: Exclude<keyof ForecastSource['quality'][number], 'horizonMs'>): Point[] =>
    clusters.flatMap(({ cluster, quality }) =>
      quality.map(horizon => ({
        attributes: { 'leaseway.cluster': cluster, 'leaseway.horizon': horizon.horizonMs / 1000 },
        value: horizon[field],
      })),
    );
  const ahead = clusters.flatMap(({ cluster, outlook }) =>
    (outlook?.horizons ?? []).map(horizon => ({
      ...horizon,
      attributes: { 'leaseway.cluster': cluster, 'leaseway.horizon': horizon.horizonMs / 1000 },
    })),
  );
  return [
    gauge(
      'leaseway.outlook.load',
      'Share of what all backends together bear, minutes ahead',
      ahead.flatMap(({ attributes, p50, p90 }) => [
        { attributes: { ...attributes, 'leaseway.quantile': 0.5 }, value: p50 },
        { attributes: { ...attributes, 'leaseway.quantile': 0.9 }, value: p90 },
      ]),
    ),
    gauge(
      'leaseway.outlook.mase',
      'Error over that of the last value, minutes ahead',
      ahead.map(({ attributes, quality }) => ({ attributes, value: quality.mase })),
    ),
    gauge('leaseway.backend.load', 'Share of its capacity in use', each('load')),
    gauge('leaseway.backend.predicted_load', 'The most that is foreseen up to the gate', each('predicted')),
    gauge('leaseway.forecast.mase', 'Error of P50 over that of the last value', judged('mase')),
    gauge('leaseway.forecast.pinball_p50', 'Pinball loss of P50', judged('pinballP50')),
    gauge('leaseway.forecast.pinball_p90', 'Pinball loss of P90', judged('pinballP90')),
    gauge('leaseway.forecast.precision', 'Of alarms, the share that came true', judged('precision')),
    gauge('leaseway.forecast.recall', 'Of overloads, the share that was foreseen', judged('recall')),
  ];
}
