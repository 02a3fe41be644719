// Sessions as metrics: how many can move, what is planned of them, and every decision by its reason.

import type { ClusterSessionsReport, DecisionCount } from '../session/ports.ts';
import type { Exposition, Labels } from './exposition.ts';

export interface SessionFigures {
  readonly clusters: readonly ClusterSessionsReport[];
  readonly counts: readonly DecisionCount[];
}

const USUAL = { kind: 'migration', reason: 'forecast', outcome: 'moved' };

export function sessionFamilies(out: Exposition, { clusters, counts }: SessionFigures): void {
  const each = (read: (report: ClusterSessionsReport) => number): [Labels, number][] =>
    clusters.map((report): [Labels, number] => [{ cluster: report.cluster }, read(report)]);
  const gauge = (name: string, help: string, points: readonly [Labels, number][]): void =>
    out.family({ name, type: 'gauge', help }, points);
  gauge(
    'leaseway_sessions_movable',
    'Connections that can move.',
    each(({ sessions }) => sessions),
  );
  gauge(
    'leaseway_sessions_moving',
    'Moves under way.',
    each(({ underWay }) => underWay),
  );
  gauge(
    'leaseway_sessions_frozen',
    '1 while nothing moves for load.',
    each(({ frozen }) => (frozen ? 1 : 0)),
  );
  const backends = clusters.flatMap(({ cluster, backends }) =>
    backends.map(backend => ({ labels: { cluster, backend: backend.backend }, ...backend })),
  );
  gauge(
    'leaseway_backend_shed_share',
    'Of its HTTP sessions, the share that moves at their next request.',
    backends.map(({ labels, shed }): [Labels, number] => [labels, shed]),
  );
  out.family(
    {
      name: 'leaseway_backend_lease_term_seconds',
      type: 'gauge',
      help: 'Term of the leases granted on it.',
      unit: 'seconds',
    },
    backends.flatMap(({ labels, termMs }): [Labels, number][] =>
      termMs === null ? [] : [[labels, termMs / 1000]],
    ),
  );
  out.family(
    {
      name: 'leaseway_session_decisions_total',
      type: 'counter',
      help: 'What was decided of sessions, by kind, reason and outcome.',
    },
    [
      // A rate of the usual kind is there from the start.
      ...clusters
        .filter(({ cluster }) => !counts.some(count => count.cluster === cluster))
        .map(({ cluster }): [Labels, number] => [{ cluster, ...USUAL }, 0]),
      ...counts.map(({ count, ...labels }): [Labels, number] => [labels, count]),
    ],
  );
}
