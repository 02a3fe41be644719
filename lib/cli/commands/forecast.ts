// `leaseway forecast`: what is foreseen of a cluster's backends, how good the foresight was, and what is known to come.

import type { Command } from 'commander';
import type { BackendForecastReport, ClusterForecastReport } from '../../control/forecast/ports.ts';
import type { TrainingReport } from '../../control/forecast/trainings.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { eventLines } from '../event-text.ts';
import { shortDuration } from '../figures.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { outlookLines, trainingLine } from '../outlook-text.ts';
import { type Cell, type Look, table } from '../table.ts';

interface Page {
  readonly items: readonly ClusterForecastReport[];
  readonly training: TrainingReport;
}

export const addForecast = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('forecast')
      .description('show the load to come, and how good forecasts were')
      .argument('[cluster]', 'all when left out'),
  ).action(async (cluster: string | undefined, options: AdminOptions) => {
    const client = await adminClient(options, io);
    const query = cluster === undefined ? '' : `?${new URLSearchParams({ cluster })}`;
    const { value } = await client.get<Page>(`/v1/forecasts${query}`);
    if (options.json) return void io.out.write(jsonText(value));
    const nowMs = io.clock.wallMs();
    io.out.write(value.items.map(item => clusterText(item, nowMs, io)).join('\n') || 'no clusters\n');
    if (value.items.some(({ outlook, backends }) => outlook !== null && backends.length > 0))
      io.out.write(trainingLine(value.training));
  });

function clusterText(report: ClusterForecastReport, nowMs: number, look: Look): string {
  const { cluster, backends, quality, events, outlook } = report;
  if (backends.length === 0) return `${cluster}: nothing is foreseen (forecast: off, or no backends)\n`;
  const horizons = backends[0]!.horizons.map(({ horizonMs }) => shortDuration(horizonMs));
  const columns = [
    { title: 'BACKEND' },
    { title: 'LOAD', right: true },
    { title: 'OF' },
    { title: 'AGE', right: true },
    ...horizons.map(horizon => ({ title: `IN ${horizon}`, right: true })),
    { title: 'OVERLOAD', right: true },
    { title: 'GATE' },
    { title: 'DETAIL' },
  ];
  const lines = [
    table(
      columns,
      backends.map(backend => row(backend, horizons.length)),
      look,
    ),
  ];
  for (const { horizonMs, mase, pinballP90, precision, recall } of quality) {
    const words = [
      `MASE ${figure(mase)}`,
      `pinball of P90 ${figure(pinballP90, 3)}`,
      `precision ${figure(precision)}`,
      `recall ${figure(recall)}`,
    ];
    lines.push(`quality ${shortDuration(horizonMs)} ahead: ${words.join(', ')}\n`);
  }
  return lines.join('') + outlookLines(outlook, look) + eventLines(events, nowMs);
}

function row(backend: BackendForecastReport, horizons: number): (Cell | string)[] {
  const { cluster, id, load, resource, ageMs, gate, gateReason, doubt, state } = backend;
  const foreseen = backend.horizons.map(({ p50, p90 }) => `${p50.toFixed(2)}..${p90.toFixed(2)}`);
  const overload = Math.max(0, ...backend.horizons.map(horizon => horizon.overload));
  const detail = [
    gateReason,
    backend.outside ? 'outside the pool' : '',
    doubt === 'none' ? '' : `its reports are doubted: ${doubt}`,
    state === 'diverged' ? 'the forecast diverged' : '',
    ...backend.events.map(name => `event ${name}`),
  ];
  return [
    `${cluster}/${id}`,
    figure(load),
    resource ?? '',
    ageMs === null ? '' : shortDuration(ageMs),
    ...(foreseen.length > 0 ? foreseen : new Array<string>(horizons).fill('')),
    `${Math.round(100 * overload)} %`,
    { text: gate.replace('_', ' '), paint: gate === 'open' ? 'green' : 'yellow' },
    detail.filter(text => text !== '').join('; '),
  ];
}

/** What was never measured is null on the wire. */
const figure = (value: number | null, digits = 2): string => (value === null ? '-' : value.toFixed(digits));
