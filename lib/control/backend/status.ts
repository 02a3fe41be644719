// A cluster's backends with every number, for people and for metrics.

import type { ConcurrencyConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import type { ControlBoard } from '../../scoreboard/ports.ts';
import type { AdminState } from './admin-state.ts';
import { type Backend, stateAt } from './backend.ts';
import type { Cluster } from './cluster.ts';
import type { Generations } from './generations.ts';
import { explainStanding } from './health/rise-fall.ts';
import type { BackendStatus } from './ports.ts';

export function statusOf(
  cluster: Cluster,
  board: ControlBoard,
  admin: AdminState,
  generations: Generations,
  clock: Clock,
): BackendStatus[] {
  const { verdicts } = cluster.judge();
  return [...cluster.backends.values()].map((backend, index): BackendStatus => {
    const { id, url, slot, source, outlier } = backend;
    const record = admin.get(cluster.name, id);
    const verdict = verdicts[index]!;
    const { ejectedUntilMs } = outlier;
    return {
      cluster: cluster.name,
      id,
      url,
      slot: slot.index,
      admin: stateAt(record, clock.wallMs()),
      health: backend.standing.health,
      healthDetail: healthDetail(cluster, backend),
      ejectedUntilMs:
        ejectedUntilMs === null ? null : Math.round(clock.wallMs() + ejectedUntilMs - clock.monotonicMs()),
      state: verdict.state,
      weight: record.weight ?? backend.weight,
      effectiveWeight: verdict.effectiveWeight,
      inFlight: board.inFlight(slot.index),
      limit: limitInForce(cluster.config.limits.concurrency, board.adapted(slot.index, slot.generation)),
      tunnels: board.tunnels(slot.index),
      drainUntilMs: record.state === 'drain' ? (record.drainUntilMs ?? null) : null,
      ...cluster.foreseen(id),
      ...backend.counts(board.totals(slot.index)),
      generation: generations.of(cluster.name, id),
      source,
    };
  });
}

function limitInForce(concurrency: ConcurrencyConfig, adapted: number): number {
  if (typeof concurrency === 'number') return concurrency;
  const { initial, min, max } = concurrency.adaptive;
  // The ceiling may have come down since it was found.
  return Math.min(max, adapted || Math.max(min, initial));
}

function healthDetail({ config }: Cluster, backend: Backend): string {
  const { rise = 1, fall = 1 } = config.health ?? {};
  const check = explainStanding(backend.standing, backend.checkDetail, rise, fall);
  return backend.outlier.ejectedUntilMs === null ? check : `ejected: ${backend.ejectionDetail}; ${check}`;
}
