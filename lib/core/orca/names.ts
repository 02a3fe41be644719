// Which name of a load report is which kind of load. Protobuf's JSON writes the same names in camel case.

import { SIGNAL_NAMES, type SignalName } from '../signal-kinds.ts';

/** Place of the kind by the name in a report; -1 for a name that is ORCA's but of no use here. */
export type OrcaNames = ReadonlyMap<string, number>;

const OWN: Readonly<Record<string, SignalName>> = {
  cpu_utilization: 'cpu',
  mem_utilization: 'memory',
  application_utilization: 'application',
  rps_fractional: 'requests_per_second',
  eps: 'errors_per_second',
  'utilization.network': 'network',
  'utilization.disk': 'disk',
  'named_metrics.in_flight': 'in_flight',
  'named_metrics.capacity': 'capacity',
};

/** The maps of a report; whatever they hold is allowed to be there. */
const MAPS = ['named_metrics.', 'utilization.', 'request_cost.'] as const;

const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** `extra` names further entries, as configured: `named_metrics.num_requests_running` → `in_flight`. */
export function orcaNames(extra: Readonly<Record<string, SignalName>> = {}): OrcaNames {
  const names = new Map<string, number>([['rps', -1]]);
  for (const [name, kind] of Object.entries({ ...OWN, ...extra })) {
    const index = SIGNAL_NAMES.indexOf(kind);
    names.set(name, index);
    const dot = name.indexOf('.');
    // What is behind the dot is the application's own word and stays as it is.
    names.set(dot < 0 ? camel(name) : camel(name.slice(0, dot)) + name.slice(dot), index);
  }
  return names;
}

/** `rps` is old and superseded, the maps are the application's: neither is a mistake. */
export const isOrcaName = (name: string): boolean =>
  name === 'rps' ||
  MAPS.some(map => name.startsWith(map)) ||
  name.startsWith('namedMetrics.') ||
  name.startsWith('requestCost.');
