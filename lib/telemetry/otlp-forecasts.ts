// Forecasts as OTLP gauges: what is foreseen of each backend and of all of a cluster, and how good the foresight was.

import { gauge, type Metric, type Point, type Span } from './otlp-points.ts';

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

export function forecastMetrics(clusters: readonly ForecastSource[], span: Span): Metric[] {
  const share = (name: string, description: string, points: readonly Point<number | null>[]): Metric =>
    gauge(name, description, '1', span, points);
  const each = (field: 'load' | 'predicted'): Point<number | null>[] =>
    clusters.flatMap(({ cluster, backends }) =>
      backends.map(backend => ({
        attributes: { 'leaseway.cluster': cluster, 'leaseway.backend': backend.id },
        value: backend[field],
      })),
    );
  const judged = (
    field: Exclude<keyof ForecastSource['quality'][number], 'horizonMs'>,
  ): Point<number | null>[] =>
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
    share(
      'leaseway.outlook.load',
      'Share of what all backends together bear, minutes ahead',
      ahead.flatMap(({ attributes, p50, p90 }) => [
        { attributes: { ...attributes, 'leaseway.quantile': 0.5 }, value: p50 },
        { attributes: { ...attributes, 'leaseway.quantile': 0.9 }, value: p90 },
      ]),
    ),
    share(
      'leaseway.outlook.mase',
      'Error over that of the last value, minutes ahead',
      ahead.map(({ attributes, quality }) => ({ attributes, value: quality.mase })),
    ),
    share('leaseway.backend.load', 'Share of its capacity in use', each('load')),
    share('leaseway.backend.predicted_load', 'The most that is foreseen up to the gate', each('predicted')),
    share('leaseway.forecast.mase', 'Error of P50 over that of the last value', judged('mase')),
    share('leaseway.forecast.pinball_p50', 'Pinball loss of P50', judged('pinballP50')),
    share('leaseway.forecast.pinball_p90', 'Pinball loss of P90', judged('pinballP90')),
    share('leaseway.forecast.precision', 'Of alarms, the share that came true', judged('precision')),
    share('leaseway.forecast.recall', 'Of overloads, the share that was foreseen', judged('recall')),
  ];
}
