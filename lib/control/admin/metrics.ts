// Everything that is measured, as one text: names of the OpenTelemetry conventions where there is one, leaseway_* else.

import { PRIORITIES, SHED_REASONS } from '../../core/priority.ts';
import {
  type ControlBoard,
  DURATION_BOUNDS_S,
  type HistogramView,
  WORKER_COUNTERS,
  WORKER_GAUGES,
} from '../../scoreboard/ports.ts';
import type { BackendStatus } from '../backend/ports.ts';
import type { ClusterForecastReport } from '../forecast/ports.ts';
import type { TrainingReport } from '../forecast/trainings.ts';
import { Exposition, type Labels } from './exposition.ts';
import { forecastFamilies } from './forecast-metrics.ts';
import { outlookFamilies } from './outlook-metrics.ts';
import type { StatusReport } from './ports.ts';
import type { ProcessReading } from './process-reading.ts';
import { type SessionFigures, sessionFamilies } from './session-metrics.ts';
import { signalFamilies } from './signal-metrics.ts';

export interface MetricsInput {
  readonly status: StatusReport;
  /** Names by the index that the workers count under: the routes of the snapshot in use. */
  readonly routes: readonly string[];
  readonly board: Pick<
    ControlBoard,
    'requestHistogram' | 'backendHistogram' | 'totals' | 'permits' | 'shed' | 'waits'
  >;
  readonly process: ProcessReading;
  readonly forecasts: readonly ClusterForecastReport[];
  readonly training: TrainingReport;
  readonly sessions: SessionFigures;
}

/** Pure; the order is the same at every scrape. */
export function renderMetrics({
  status,
  routes,
  board,
  process,
  forecasts,
  training,
  sessions,
}: MetricsInput): string {
  const out = new Exposition();
  serverFamilies(out, status, routes, board);
  backendFamilies(out, status.backends, board);
  overloadFamilies(out, board);
  signalFamilies(out, status.backends);
  forecastFamilies(out, forecasts);
  outlookFamilies(out, forecasts, training);
  sessionFamilies(out, sessions);
  workerFamilies(out, status);
  configFamilies(out, status);
  processFamilies(out, status, process);
  return out.text();
}

const STATUS_CLASSES = [1, 2, 3, 4, 5] as const;

function serverFamilies(
  out: Exposition,
  status: StatusReport,
  routes: readonly string[],
  board: MetricsInput['board'],
): void {
  // By class: exact statuses times routes times buckets would be more series than anybody wants to keep.
  const series = routes.flatMap((route, index) =>
    STATUS_CLASSES.map(statusClass => ({
      labels: { http_route: route, http_response_status_class: `${statusClass}xx` },
      view: board.requestHistogram(index, statusClass),
    })).filter(({ view }) => view.counts.some(count => count > 0)),
  );
  out.histograms(
    {
      name: 'http_server_request_duration_seconds',
      help: 'Duration of requests from clients, by route and class of the status answered.',
      unit: 'seconds',
    },
    DURATION_BOUNDS_S,
    series.map(({ labels, view }) => [labels, { counts: view.counts, sum: view.sumS }]),
  );
  const bytes = (pick: (view: HistogramView) => number) =>
    series.map(({ labels, view }): [Labels, number] => [labels, pick(view)]);
  out.family(
    {
      name: 'leaseway_request_body_bytes_total',
      type: 'counter',
      help: 'Bytes of request bodies taken from clients.',
      unit: 'bytes',
    },
    bytes(view => view.bytesIn),
  );
  out.family(
    {
      name: 'leaseway_response_body_bytes_total',
      type: 'counter',
      help: 'Bytes of response bodies sent to clients.',
      unit: 'bytes',
    },
    bytes(view => view.bytesOut),
  );
  const active = status.workers.reduce((sum, { counters }) => sum + counters.requestsActive, 0);
  out.family(
    {
      name: 'http_server_active_requests',
      type: 'gauge',
      help: 'Requests from clients that are being served.',
    },
    [[{}, active]],
  );
}

const backendLabels = ({ cluster, id }: BackendStatus): Labels => ({ cluster, backend: id });

function backendFamilies(
  out: Exposition,
  backends: readonly BackendStatus[],
  board: MetricsInput['board'],
): void {
  out.histograms(
    {
      name: 'http_client_request_duration_seconds',
      help: 'Duration of attempts at a backend until the head of its answer.',
      unit: 'seconds',
    },
    DURATION_BOUNDS_S,
    backends.map(backend => {
      const { hostname, port, protocol } = new URL(backend.url);
      const { counts, sumS } = board.backendHistogram(backend.slot);
      const server = {
        server_address: hostname,
        server_port: port || (protocol === 'https:' ? '443' : '80'),
      };
      return [
        { ...backendLabels(backend), ...server },
        { counts, sum: sumS },
      ];
    }),
  );
  out.family(
    {
      name: 'leaseway_backend_attempts_total',
      type: 'counter',
      help: 'Finished attempts by outcome; cancelled means that the client left or another attempt won.',
    },
    backends.flatMap((backend): [Labels, number][] => {
      const totals = board.totals(backend.slot);
      return [
        [{ ...backendLabels(backend), outcome: 'success' }, totals.successes],
        [{ ...backendLabels(backend), outcome: 'server_error' }, totals.serverErrors],
        [{ ...backendLabels(backend), outcome: 'failure' }, totals.failures],
        [{ ...backendLabels(backend), outcome: 'cancelled' }, totals.cancelled],
      ];
    }),
  );
  out.family(
    {
      name: 'leaseway_backend_load_reports_total',
      type: 'counter',
      help: 'Answers that came with a report of the backend’s load.',
    },
    backends.map(backend => [backendLabels(backend), board.totals(backend.slot).loadReports]),
  );
  out.family(
    { name: 'leaseway_backend_state', type: 'gauge', help: '1 for the state that the backend is in.' },
    backends.flatMap(backend =>
      BACKEND_STATES.map((state): [Labels, number] => [
        { ...backendLabels(backend), state },
        backend.state === state ? 1 : 0,
      ]),
    ),
  );
  for (const [name, help, read] of backendGauges(board))
    out.family(
      { name, type: 'gauge', help },
      backends.map(backend => [backendLabels(backend), read(backend)]),
    );
}

const BACKEND_STATES = ['up', 'draining', 'down', 'maintenance'] as const satisfies BackendStatus['state'][];

const backendGauges = (
  board: MetricsInput['board'],
): readonly (readonly [name: string, help: string, read: (backend: BackendStatus) => number])[] => [
  ['leaseway_backend_weight', 'Configured or set by an operator.', backend => backend.weight],
  [
    'leaseway_backend_effective_weight',
    'After slow start and error penalty.',
    backend => backend.effectiveWeight,
  ],
  ['leaseway_backend_in_flight', 'Attempts under way, over all workers.', backend => backend.inFlight],
  ['leaseway_backend_tunnels', 'WebSockets and other tunnels open.', backend => backend.tunnels],
  [
    'leaseway_backend_concurrency_limit',
    'Requests it may have at once: the limit in force, fixed or found; 0 for none.',
    backend => backend.limit,
  ],
  [
    'leaseway_backend_permits',
    'Places taken under the concurrency limit.',
    backend => board.permits(backend.slot),
  ],
  [
    'leaseway_backend_ejected',
    '1 while ejected as an outlier.',
    backend => (backend.ejectedUntilMs === null ? 0 : 1),
  ],
  [
    'leaseway_backend_generation',
    'Raised by drain, failover and revoke; never falls.',
    backend => backend.generation,
  ],
];

function overloadFamilies(out: Exposition, board: MetricsInput['board']): void {
  out.family(
    {
      name: 'leaseway_shed_total',
      type: 'counter',
      help: 'Requests refused for want of room, by why and by priority.',
    },
    SHED_REASONS.flatMap(reason =>
      PRIORITIES.map((priority, index): [Labels, number] => [
        { reason, priority },
        board.shed(reason, index),
      ]),
    ),
  );
  out.histograms(
    {
      name: 'leaseway_queue_wait_seconds',
      help: 'Time in the waiting line of requests that were then sent, by priority.',
      unit: 'seconds',
    },
    DURATION_BOUNDS_S,
    PRIORITIES.map((priority, index) => {
      const { counts, sumS } = board.waits(index);
      return [{ priority }, { counts, sum: sumS }];
    }),
  );
}

function workerFamilies(out: Exposition, { workers }: StatusReport): void {
  const by = (read: (worker: StatusReport['workers'][number]) => number) =>
    workers.map((worker): [Labels, number] => [{ worker: String(worker.row) }, read(worker)]);
  out.family(
    { name: 'leaseway_worker_alive', type: 'gauge', help: '1 while the worker thread runs.' },
    by(worker => (worker.alive ? 1 : 0)),
  );
  for (const name of WORKER_GAUGES)
    out.family(
      { name: `leaseway_worker_${snake(name)}`, type: 'gauge', help: `${words(name)}, at present.` },
      by(worker => worker.counters[name]),
    );
  for (const name of WORKER_COUNTERS)
    out.family(
      { name: `leaseway_worker_${snake(name)}_total`, type: 'counter', help: `${words(name)}, since start.` },
      by(worker => worker.counters[name]),
    );
}

const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
const words = (name: string): string => {
  const spaced = snake(name).replaceAll('_', ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};

function configFamilies(out: Exposition, status: StatusReport): void {
  out.family(
    {
      name: 'leaseway_config_last_reload_success',
      type: 'gauge',
      help: '1 unless the last reload was refused.',
    },
    [[{}, status.reloadProblems.length === 0 ? 1 : 0]],
  );
  out.family(
    {
      name: 'leaseway_config_loaded_timestamp_seconds',
      type: 'gauge',
      help: 'When the configuration in use was loaded, Unix time.',
      unit: 'seconds',
    },
    [[{}, status.loadedMs / 1000]],
  );
  out.family({ name: 'leaseway_config_generation', type: 'gauge', help: 'Of the snapshot in use.' }, [
    [{}, status.generation],
  ]);
  out.family({ name: 'leaseway_ready', type: 'gauge', help: '1 while traffic may be sent here.' }, [
    [{}, status.ready && !status.stopping ? 1 : 0],
  ]);
}

function processFamilies(out: Exposition, status: StatusReport, reading: ProcessReading): void {
  out.family({ name: 'leaseway_build_info', type: 'gauge', help: 'Always 1; the labels say what runs.' }, [
    [{ version: status.version, node: reading.nodeVersion }, 1],
  ]);
  out.family(
    { name: 'process_cpu_seconds_total', type: 'counter', help: 'User and system time.', unit: 'seconds' },
    [[{}, reading.cpuSeconds]],
  );
  out.family(
    { name: 'process_resident_memory_bytes', type: 'gauge', help: 'Resident memory.', unit: 'bytes' },
    [[{}, reading.residentBytes]],
  );
  out.family(
    {
      name: 'process_start_time_seconds',
      type: 'gauge',
      help: 'Start of the process, Unix time.',
      unit: 'seconds',
    },
    [[{}, reading.startTimeSeconds]],
  );
  if (reading.openFds !== undefined)
    out.family({ name: 'process_open_fds', type: 'gauge', help: 'Open file descriptors.' }, [
      [{}, reading.openFds],
    ]);
  if (reading.maxFds !== undefined)
    out.family({ name: 'process_max_fds', type: 'gauge', help: 'File descriptors that may be open.' }, [
      [{}, reading.maxFds],
    ]);
}
