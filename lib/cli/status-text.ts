// A status report as people read it. Pure.

import type { BackendReport, StatusReport } from '../control/admin/ports.ts';
import type { WorkerCounter } from '../scoreboard/ports.ts';
import { shortDuration } from './figures.ts';
import { type Cell, type Look, type Paint, painted, printable, table } from './table.ts';

export function statusText(status: StatusReport, nowMs: number, look: Look): string {
  const readiness: Cell = status.stopping
    ? { text: 'stopping', paint: 'yellow' }
    : status.ready
      ? { text: 'ready', paint: 'green' }
      : { text: `not ready (${printable(status.notReady.join('; '))})`, paint: 'red' };
  const sum = (counter: WorkerCounter): number =>
    status.workers.reduce((total, worker) => total + worker.counters[counter], 0);
  const alive = status.workers.filter(worker => worker.alive).length;
  const listeners = status.listeners.map(({ address, port, tls }) => {
    const shown = address.endsWith(`:${port}`) ? address : `${address} (port ${port})`;
    return tls ? `${shown} (TLS)` : shown;
  });
  const lines = [
    `leaseway ${status.version}, process ${status.pid}, up ${shortDuration(nowMs - status.startedMs)}, ${painted(readiness.text, readiness.paint, look.color)}`,
    `config     ${status.configPath}, generation ${status.generation}, loaded ${shortDuration(nowMs - status.loadedMs)} ago`,
    `listening  ${listeners.join(', ') || 'nowhere'}`,
    `workers    ${alive} of ${status.workers.length}; ${sum('connections')} connections, ${sum('requestsActive')} requests, ${sum('tunnels')} tunnels, ${sum('queued')} queued`,
    ...status.reloadProblems.map(problem => painted(`problem    ${printable(problem)}`, 'red', look.color)),
  ];
  const signals = status.backends.some(({ sources }) => sources.length > 0);
  const backends =
    status.backends.length === 0
      ? 'no backends\n'
      : table(
          signals ? COLUMNS.toSpliced(DETAIL_AT, 0, { title: 'REPORTS' }) : COLUMNS,
          status.backends.map(b => {
            const cells = row(b, nowMs);
            return signals ? cells.toSpliced(DETAIL_AT, 0, loadText(b)) : cells;
          }),
          look,
        );
  return `${lines.join('\n')}\n\n${backends}`;
}

const COLUMNS = [
  { title: 'BACKEND' },
  { title: 'STATE' },
  { title: 'WEIGHT', right: true },
  { title: 'IN FLIGHT', right: true },
  { title: 'TUNNELS', right: true },
  { title: 'LOAD', right: true },
  { title: 'PREDICTED', right: true },
  { title: 'REQUESTS', right: true },
  { title: 'FAILURES', right: true },
  { title: 'URL' },
  { title: 'DETAIL' },
];

const DETAIL_AT = COLUMNS.length - 1;

/** The shares that people ask for first; the rest is in --json. */
const SHOWN: Readonly<Partial<Record<BackendReport['signals'][number]['signal'], string>>> = {
  cpu: 'cpu',
  memory: 'mem',
  network: 'net',
  disk: 'disk',
  application: 'app',
};

/** `cpu 62% mem 40% (orca 1s, scrape 4s)`; of sources that fail, that they do. */
function loadText({ signals, sources }: BackendReport): Cell | string {
  if (sources.length === 0) return '-';
  const values = signals.flatMap(({ signal, value }) =>
    SHOWN[signal] === undefined ? [] : [`${SHOWN[signal]} ${Math.round(100 * value)}%`],
  );
  const heard = sources.map(({ source, ok, ageMs }) => {
    const age = ageMs === null ? '' : ` ${shortDuration(ageMs)}`;
    return ok === false ? `${source} fails${age}` : `${source}${age === '' ? ' silent' : age}`;
  });
  const text = `${values.length === 0 ? '' : `${values.join(' ')} `}(${heard.join(', ')})`;
  return sources.some(({ ok }) => ok === false) ? { text, paint: 'yellow' } : text;
}

const PAINT: Readonly<Record<BackendReport['state'], Paint>> = {
  up: 'green',
  draining: 'yellow',
  down: 'red',
  maintenance: 'yellow',
};

function row(backend: BackendReport, nowMs: number): (Cell | string)[] {
  const { cluster, id, state, weight, effectiveWeight } = backend;
  const weights = effectiveWeight === weight ? `${weight}` : `${round(effectiveWeight)}/${weight}`;
  return [
    `${cluster}/${id}`,
    { text: state, paint: PAINT[state] },
    weights,
    backend.limit === 0 ? String(backend.inFlight) : `${backend.inFlight}/${backend.limit}`,
    String(backend.tunnels),
    share(backend.load),
    { text: share(backend.predicted), ...(backend.gate !== 'open' && { paint: 'yellow' }) },
    String(backend.requests),
    { text: String(backend.failures), ...(backend.failures > 0 && { paint: 'red' }) },
    backend.url,
    detail(backend, nowMs),
  ];
}

/** Of its capacity; nothing while nothing is known. */
const share = (load: number | null): string => (load === null ? '-' : load.toFixed(2));

function detail(backend: BackendReport, nowMs: number): string {
  const { drainUntilMs, ejectedUntilMs, healthDetail, state, sources, gate, gateReason, outside, doubt } =
    backend;
  if (drainUntilMs !== null) return `ended in ${shortDuration(drainUntilMs - nowMs)}`;
  if (ejectedUntilMs !== null) return `ejected, back in ${shortDuration(ejectedUntilMs - nowMs)}`;
  const agent = sources.find(({ source, ageMs }) => source === 'agent_check' && ageMs !== null);
  if (agent !== undefined && state !== 'up') return `agent said ${agent.detail}; ${healthDetail}`;
  if (gate !== 'open') return `new work goes elsewhere: ${gateReason}`;
  const words = [
    healthDetail,
    outside ? 'outside the pool' : '',
    doubt === 'none' ? '' : `its load reports are doubted: ${doubt}`,
  ];
  return words.filter(word => word !== '').join('; ');
}

const round = (value: number): number => Math.round(value * 100) / 100;
