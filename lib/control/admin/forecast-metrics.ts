// Forecasts as metrics: what is foreseen of each backend, and how good the foresight was.

import type { BackendForecastReport, ClusterForecastReport, HorizonQuality } from '../forecast/ports.ts';
import type { Exposition, Labels } from './exposition.ts';

export function forecastFamilies(out: Exposition, clusters: readonly ClusterForecastReport[]): void {
  const backends = clusters.flatMap(cluster => cluster.backends);
  const each = (read: (backend: BackendForecastReport) => number | null): [Labels, number][] =>
    backends.flatMap((backend): [Labels, number][] => {
      const value = read(backend);
      return value === null ? [] : [[{ cluster: backend.cluster, backend: backend.id }, value]];
    });
  const gauge = (name: string, help: string, points: readonly [Labels, number][]): void =>
    out.family({ name, type: 'gauge', help }, points);
  gauge(
    'leaseway_backend_load',
    'Load score: share of its capacity in use, the largest over its resources.',
    each(({ load }) => load),
  );
  gauge(
    'leaseway_backend_predicted_load',
    'The most that is foreseen up to the gate’s horizon.',
    each(({ predicted }) => predicted),
  );
  gauge(
    'leaseway_backend_gate',
    '0 open, 1 last resort, 2 shut to new work for what is foreseen.',
    each(({ gate }) => GATES.indexOf(gate)),
  );
  gauge(
    'leaseway_backend_outside_pool',
    '1 while it takes new work only when nobody in the pool can.',
    each(({ outside }) => (outside ? 1 : 0)),
  );
  gauge(
    'leaseway_backend_report_doubt',
    '1 while its own load reports are not believed: silent, absurd or contradicted by what the proxy sees.',
    each(({ doubt }) => (doubt === 'none' ? 0 : 1)),
  );
  gauge(
    'leaseway_backend_forecast_diverged',
    '1 while its forecast is no number and the present load stands for it.',
    each(({ state }) => (state === 'diverged' ? 1 : 0)),
  );
  for (const [name, help, field] of QUALITIES)
    gauge(
      name,
      help,
      clusters.flatMap(({ cluster, quality }) =>
        quality.flatMap((judged): [Labels, number][] => {
          const value = judged[field];
          const horizon = `${judged.horizonMs / 1000}`;
          return Number.isNaN(value) ? [] : [[{ cluster, horizon_seconds: horizon }, value]];
        }),
      ),
    );
}

const GATES = ['open', 'last_resort', 'shut'];

const QUALITIES: readonly (readonly [name: string, help: string, field: keyof HorizonQuality])[] = [
  ['leaseway_forecast_mase', 'Mean error of P50 over that of the last value at the same horizon.', 'mase'],
  ['leaseway_forecast_pinball_p50', 'Pinball loss of P50.', 'pinballP50'],
  ['leaseway_forecast_pinball_p90', 'Pinball loss of P90.', 'pinballP90'],
  ['leaseway_forecast_coverage_p90', 'Share of loads at or below P90.', 'coverageP90'],
  ['leaseway_forecast_recall', 'Of moments over the threshold, the share that was foreseen.', 'recall'],
  ['leaseway_forecast_precision', 'Of alarms, the share that came true.', 'precision'],
];
