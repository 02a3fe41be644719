// One check of one backend: every kind that is configured must succeed within the time allowed.

import type { ClusterConfig, HealthConfig } from '../../../config/cluster.ts';
import type { Clock } from '../../../core/clock.ts';
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
}

/** The check of `url` as the cluster has it; a health section that names no kind means TCP. */
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
    return withinTime(health.timeout, clock, signal => runAll(health, target, signal));
  };
}

async function runAll(health: HealthConfig, target: Target, signal: AbortSignal): Promise<string> {
  const details: string[] = [];
  if (health.http !== undefined) details.push(await checkHttp(health.http, target, signal));
  if (health.grpc !== undefined) details.push(await checkGrpc(health.grpc.service, target, signal));
  if (health.tcp || details.length === 0) details.push(await checkTcp(target, signal));
  return details.join(', ');
}

async function withinTime(
  timeoutMs: number,
  clock: Clock,
  run: (signal: AbortSignal) => Promise<string>,
): Promise<CheckResult> {
  const aborter = new AbortController();
  using _deadline = clock.after(timeoutMs, () => aborter.abort());
  try {
    return { ok: true, detail: await run(aborter.signal) };
  } catch (error) {
    const late = aborter.signal.aborted;
    return {
      ok: false,
      detail: late ? `timed out after ${formatDuration(timeoutMs)}` : describeFailure(error),
    };
  }
}
