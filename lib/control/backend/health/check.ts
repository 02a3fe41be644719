// One check of one backend, of the kind that is configured, within the time allowed.

import type { ClusterConfig, HealthConfig } from '../../../config/cluster.ts';
import type { Clock } from '../../../core/clock.ts';
import { isOurLack } from '../../../core/errors.ts';
import { formatDuration } from '../../../core/units.ts';
import { describeFailure } from './detail.ts';
import type { Target } from './dial.ts';
import { checkGrpc } from './grpc.ts';
import { checkHttp } from './http.ts';
import { checkTcp } from './tcp.ts';
import type { CheckTls } from './tls.ts';

export interface CheckResult {
  readonly ok: boolean;
  /** For operators: `HTTP 503`, `connection refused`, `timed out after 1s`. */
  readonly detail: string;
  /** The check could not be made for want of something of ours: it says nothing about the backend. */
  readonly inconclusive?: true;
}

/** The check of `url` as the cluster has it. */
export function checkOf(
  url: string,
  health: HealthConfig,
  cluster: Pick<ClusterConfig, 'protocol' | 'tls'>,
  tls: CheckTls,
  clock: Clock,
): () => Promise<CheckResult> {
  const parsed = new URL(url);
  return () => {
    const target: Target = {
      url: parsed,
      protocol: cluster.protocol,
      tls: {
        context: parsed.protocol === 'https:' ? tls.context() : undefined,
        verify: cluster.tls.verify,
        serverName: cluster.tls.server_name,
      },
    };
    return withinTime(health.timeout, clock, signal => run(health, target, signal));
  };
}

/** The schema sees to it that exactly one kind is configured. */
function run(health: HealthConfig, target: Target, signal: AbortSignal): Promise<string> {
  if (health.http !== undefined) return checkHttp(health.http, target, signal);
  if (health.grpc !== undefined) return checkGrpc(health.grpc.service, target, signal);
  return checkTcp(target, signal);
}

async function withinTime(
  timeoutMs: number,
  clock: Clock,
  attempt: (signal: AbortSignal) => Promise<string>,
): Promise<CheckResult> {
  const aborter = new AbortController();
  using _deadline = clock.after(timeoutMs, () => aborter.abort());
  try {
    return { ok: true, detail: await attempt(aborter.signal) };
  } catch (error) {
    const late = aborter.signal.aborted;
    return {
      ok: false,
      detail: late ? `timed out after ${formatDuration(timeoutMs)}` : describeFailure(error),
      ...(isOurLack(error) ? { inconclusive: true } : {}),
    };
  }
}
