// Why a request would go where it would: a worker's answer, with what the control plane alone knows of its backends.

import { LeasewayError } from '../core/errors.ts';
import type { Explained } from '../orders/explained.ts';
import type { ExplainFilter } from './admin/ports.ts';
import type { BackendStatus } from './backend/ports.ts';
import type { WorkerLinks } from './worker-links.ts';

interface Sources {
  readonly links: Pick<WorkerLinks, 'rows' | 'explain'>;
  /** Names of all clusters. */
  readonly clusters: readonly string[];
  readonly backends: readonly BackendStatus[];
  readonly nowMs: number;
}

/** Learnt state lives in the workers, so one is asked. Throws NOT_FOUND, UNREACHABLE. */
export async function explain(
  { cluster, key, worker }: ExplainFilter,
  { links, clusters, backends, nowMs }: Sources,
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
  return state === 'up' && effectiveWeight < weight ? 'grows to its weight' : '';
}
