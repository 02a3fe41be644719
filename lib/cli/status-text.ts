// A status report as people read it. Pure.

import type { StatusReport } from '../control/admin/ports.ts';
import type { BackendStatus } from '../control/backend/ports.ts';
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
  const backends =
    status.backends.length === 0
      ? 'no backends\n'
      : table(
          COLUMNS,
          status.backends.map(b => row(b, nowMs)),
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
  { title: 'REQUESTS', right: true },
  { title: 'FAILURES', right: true },
  { title: 'URL' },
  { title: 'DETAIL' },
];

const PAINT: Readonly<Record<BackendStatus['state'], Paint>> = {
  up: 'green',
  draining: 'yellow',
  down: 'red',
  maintenance: 'yellow',
};

function row(backend: BackendStatus, nowMs: number): (Cell | string)[] {
  const { cluster, id, state, weight, effectiveWeight } = backend;
  const weights = effectiveWeight === weight ? `${weight}` : `${round(effectiveWeight)}/${weight}`;
  return [
    `${cluster}/${id}`,
    { text: state, paint: PAINT[state] },
    weights,
    backend.limit === 0 ? String(backend.inFlight) : `${backend.inFlight}/${backend.limit}`,
    String(backend.tunnels),
    String(backend.requests),
    { text: String(backend.failures), ...(backend.failures > 0 && { paint: 'red' }) },
    backend.url,
    detail(backend, nowMs),
  ];
}

function detail({ drainUntilMs, ejectedUntilMs, healthDetail }: BackendStatus, nowMs: number): string {
  if (drainUntilMs !== null) return `ended in ${shortDuration(drainUntilMs - nowMs)}`;
  if (ejectedUntilMs !== null) return `ejected, back in ${shortDuration(ejectedUntilMs - nowMs)}`;
  return healthDetail;
}

const round = (value: number): number => Math.round(value * 100) / 100;
