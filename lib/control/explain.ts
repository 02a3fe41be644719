// Why a request would go where it would: a worker's answer, with what the control plane alone knows of its backends.

import { LeasewayError } from '../core/errors.ts';
import type { Explained, ExplainedForecast } from '../orders/explained.ts';
import type { ExplainFilter } from './admin/ports.ts';
import type { BackendStatus } from './backend/ports.ts';
import type { ClusterForecastReport } from './forecast/ports.ts';
import type { WorkerLinks } from './worker-links.ts';

interface Sources {
  readonly links: Pick<WorkerLinks, 'rows' | 'explain'>;
  /** Names of all clusters. */
  readonly clusters: readonly string[];
  readonly backends: readonly BackendStatus[];
  /** Of the cluster. */
  readonly forecast: ClusterForecastReport | undefined;
  readonly nowMs: number;
}

/** Models below this share of the weight explain nothing. */
const LEAST_WEIGHT = 0.05;

/** Learnt state lives in the workers, so one is asked. Throws NOT_FOUND, UNREACHABLE. */
export async function explain(
  { cluster, key, worker }: ExplainFilter,
  { links, clusters, backends, forecast, nowMs }: Sources,
): Promise<Explained> {
  if (!clusters.includes(cluster))
    throw new LeasewayError('NOT_FOUND', `no cluster ${cluster}; there are ${clusters.join(', ')}`);
  const row = worker ?? Math.min(...links.rows);
  if (worker !== undefined && !links.rows.includes(worker))
    throw new LeasewayError('NOT_FOUND', `no worker ${worker}; there are ${links.rows.join(', ')}`);
  const explained = await links.explain(row, { cluster, key });
  if (explained === undefined)
    throw new LeasewayError('UNREACHABLE', `worker ${row} does not answer; --worker asks another`);
  if (explained === null) throw new LeasewayError('NOT_FOUND', `worker ${row} has no cluster ${cluster} yet`);
  const known = new Map(backends.filter(one => one.cluster === cluster).map(one => [one.id, one]));
  return {
    ...explained,
    backends: explained.backends.map(backend => ({
      ...backend,
      remark: [backend.remark, why(known.get(backend.id), nowMs)].filter(text => text !== '').join(', '),
      forecast: foreseen(backend.id, forecast, nowMs),
    })),
  };
}

function foreseen(
  id: string,
  cluster: ClusterForecastReport | undefined,
  nowMs: number,
): ExplainedForecast | null {
  const found = cluster?.backends.find(backend => backend.id === id);
  if (cluster === undefined || found === undefined || found.load === null) return null;
  const { load, resource, ageMs, doubt, horizons, again, reason } = found;
  const concerned = cluster.events.filter(({ backends }) => backends === null || backends.includes(id));
  return {
    ...{ load, resource, ageMs, doubt, periodMs: reason.periodMs, again },
    horizons: horizons.map(({ horizonMs, p50, p90 }) => ({ horizonMs, p50, p90 })),
    models: reason.members
      .filter(({ weight }) => weight >= LEAST_WEIGHT)
      .sort((a, b) => b.weight - a.weight)
      .map(({ name, weight }) => ({ name, weight })),
    events: concerned.map(({ name, factor, startMs, endMs }) => ({
      ...{ name, factor },
      beginsInMs: startMs - nowMs,
      endsInMs: endMs - nowMs,
    })),
  };
}

/** What keeps it from its full share. */
function why(status: BackendStatus | undefined, nowMs: number): string {
  if (status === undefined) return '';
  const { admin, health, healthDetail, ejectedUntilMs, weight, effectiveWeight, state } = status;
  if (admin === 'drain') return 'an operator drains it';
  if (admin === 'maintenance') return 'in maintenance';
  if (health === 'down') return `check: ${healthDetail}`;
  if (ejectedUntilMs !== null && ejectedUntilMs > nowMs)
    return `ejected for ${Math.ceil((ejectedUntilMs - nowMs) / 1000)} s more`;
  if (weight === 0) return 'its weight is 0';
  if (status.gateReason !== '') return status.gateReason;
  return state === 'up' && effectiveWeight < weight ? 'grows to its weight' : '';
}
