// `cluster/backend` on the command line.

import type { BackendReport } from '../control/admin/ports.ts';
import { EXIT } from '../core/exit-codes.ts';
import { CliFailure } from './failure.ts';

/** The backend's path in the admin API. */
export function backendPath(target: string): string {
  const slash = target.indexOf('/');
  const cluster = target.slice(0, slash);
  const id = target.slice(slash + 1);
  if (slash < 1 || id === '')
    throw new CliFailure(
      EXIT.usage,
      `${JSON.stringify(target)} names no backend`,
      'write CLUSTER/BACKEND, as leaseway status lists them',
    );
  return `/v1/backends/${encodeURIComponent(cluster)}/${encodeURIComponent(id)}`;
}

/** What `GET` and the writes on a backend answer. */
export interface BackendAnswer {
  readonly revision: number;
  readonly backend: BackendReport;
}

/** Requests and connections. */
export const left = ({ inFlight, tunnels }: BackendReport): number => inFlight + tunnels;
