// The load minutes ahead, in words: what all backends of a cluster together will bear, and whether the network counts.

import type { OutlookHorizon, OutlookReport } from '../control/forecast/ports.ts';
import type { TrainingReport } from '../control/forecast/trainings.ts';
import { shortDuration } from './figures.ts';
import { type Look, table } from './table.ts';

/** Empty where there is none. */
export function outlookLines(outlook: OutlookReport | null, look: Look): string {
  if (outlook === null) return '';
  const { demand, backends, knownMs, horizons } = outlook;
  const now = `all together: work for ${demand.toFixed(2)} of ${backends} backends now; ${shortDuration(knownMs)} of it known\n`;
  const columns = [
    { title: 'IN' },
    { title: 'LOAD', right: true },
    { title: 'MASE', right: true },
    { title: 'SIMPLE', right: true },
    { title: 'REGRESSION', right: true },
    { title: 'NETWORK', right: true },
    { title: 'DETAIL' },
  ];
  return now + table(columns, horizons.map(row), look);
}

export function trainingLine({ state, cluster, done, failed, cpuMs, failure }: TrainingReport): string {
  if (state === 'off' || (state === 'idle' && done + failed === 0)) return '';
  const words = [
    state === 'training' ? `training the network of ${cluster}` : '',
    done === 0 ? '' : `${done} trained in ${(cpuMs / 1000).toFixed(1)} s of CPU`,
    failed === 0 ? '' : `${failed} failed`,
    failure === null ? '' : `the last one: ${failure}`,
  ];
  return `networks: ${words.filter(word => word !== '').join(', ')}\n`;
}

const STANDINGS = {
  none: 'no network yet',
  on_trial: 'the network is on trial',
  in_use: 'the network counts',
  refused: 'better without the network',
} as const;

function row({ horizonMs, p50, p90, quality }: OutlookHorizon): string[] {
  const { mase, simple, regression, network, gain, standing } = quality;
  // What was never measured is null on the wire.
  const figure = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
  const better = gain === null || standing === 'none' ? '' : ` (error ${figure(gain)} × that without)`;
  return [
    shortDuration(horizonMs),
    `${p50.toFixed(2)}..${p90.toFixed(2)}`,
    ...[mase, simple, regression, network].map(figure),
    `${STANDINGS[standing]}${better}`,
  ];
}
