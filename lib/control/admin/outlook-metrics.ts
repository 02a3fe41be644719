// What clusters will have to bear minutes ahead, as metrics, and whether what foresees it is worth it.

import type { ClusterForecastReport, OutlookHorizon } from '../forecast/ports.ts';
import type { TrainingReport } from '../forecast/trainings.ts';
import type { Exposition, Labels } from './exposition.ts';

const MODELS = ['mase', 'simple', 'regression', 'network'] as const;

export function outlookFamilies(
  out: Exposition,
  clusters: readonly ClusterForecastReport[],
  { done, failed, cpuMs }: TrainingReport,
): void {
  const outlooks = clusters.flatMap(({ cluster, outlook }) =>
    outlook === null ? [] : [{ cluster, ...outlook }],
  );
  const each = (read: (horizon: OutlookHorizon) => readonly [Labels, number][]): [Labels, number][] =>
    outlooks.flatMap(({ cluster, horizons }) =>
      horizons.flatMap(horizon =>
        read(horizon)
          .filter(([, value]) => !Number.isNaN(value))
          .map(([labels, value]): [Labels, number] => [
            { cluster, horizon_seconds: `${horizon.horizonMs / 1000}`, ...labels },
            value,
          ]),
      ),
    );
  out.family(
    {
      name: 'leaseway_cluster_demand_backends',
      type: 'gauge',
      help: 'Work for so many backends now, without that of events.',
    },
    outlooks.map(({ cluster, demand }) => [{ cluster }, demand]),
  );
  out.family(
    {
      name: 'leaseway_outlook_load',
      type: 'gauge',
      help: 'Share of what the backends of now bear that is foreseen minutes ahead.',
    },
    each(({ p50, p90 }) => [
      [{ quantile: '0.5' }, p50],
      [{ quantile: '0.9' }, p90],
    ]),
  );
  out.family(
    {
      name: 'leaseway_outlook_demand_backends',
      type: 'gauge',
      help: 'P90 of the work minutes ahead in backends: with fewer they would be full.',
    },
    each(({ demandP90 }) => [[{}, demandP90]]),
  );
  out.family(
    {
      name: 'leaseway_outlook_mase',
      type: 'gauge',
      help: 'Mean error over that of the last value at the same distance, of all models together and of each.',
    },
    each(({ quality }) => MODELS.map(model => [{ model: model === 'mase' ? 'all' : model }, quality[model]])),
  );
  out.family(
    {
      name: 'leaseway_outlook_network_in_use',
      type: 'gauge',
      help: '1 where the network counts: it was better with it than without.',
    },
    each(({ quality }) => [[{}, quality.standing === 'in_use' ? 1 : 0]]),
  );
  out.family(
    {
      name: 'leaseway_outlook_trainings_total',
      type: 'counter',
      help: 'Trainings of networks since the control thread began.',
    },
    [
      [{ result: 'done' }, done],
      [{ result: 'failed' }, failed],
    ],
  );
  out.family(
    {
      name: 'leaseway_outlook_training_cpu_seconds_total',
      type: 'counter',
      help: 'CPU of the trainings that are done.',
      unit: 'seconds',
    },
    [[{}, cpuMs / 1000]],
  );
}
