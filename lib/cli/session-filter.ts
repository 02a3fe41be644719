// Which connections or sessions a list is to show: options of the command line → query of the API.

import { InvalidArgumentError } from 'commander';
import { EXIT } from '../core/exit-codes.ts';
import { CliFailure } from './failure.ts';

export interface Filter {
  readonly backend?: string;
  readonly cluster?: string;
  readonly client?: string;
  readonly limit: number;
}

/** `--backend` takes `cluster/backend`, as status prints it, or the backend's name alone. */
export function filterQuery({ backend, cluster, client, limit }: Filter): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit) });
  const slash = backend?.indexOf('/') ?? -1;
  const ofBackend = slash > 0 ? backend!.slice(0, slash) : undefined;
  if (ofBackend !== undefined && cluster !== undefined && cluster !== ofBackend)
    throw new CliFailure(EXIT.usage, '--cluster and --backend name two clusters', 'leave --cluster out');
  const wanted = cluster ?? ofBackend;
  if (wanted !== undefined) query.set('cluster', wanted);
  if (backend !== undefined) query.set('backend', backend.slice(slash + 1));
  if (client !== undefined) query.set('client', client);
  return query;
}

export function limit(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 10_000)
    throw new InvalidArgumentError('expected 1 to 10000');
  return count;
}
