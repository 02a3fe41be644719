// How much work a scenario's servers are allocated to do, and the rate of arrivals that a load means.

import type { ScenarioConfig, ServersConfig } from './schema.ts';

type Work = ScenarioConfig['work'];

/** Requests per ms that one server of the group answers at its allocation. Infinity when nothing limits it. */
function serverRatePerMs({ cores, speed, places }: ServersConfig, { mean, sleep }: Work): number {
  const byCores = sleep === 1 ? Number.POSITIVE_INFINITY : cores / (mean * (1 - sleep));
  const byPlaces = places === undefined ? Number.POSITIVE_INFINITY : places / mean;
  return speed * Math.min(byCores, byPlaces);
}

/** Of all servers that are there from the start. */
export const clusterRatePerMs = ({ servers, work }: ScenarioConfig): number =>
  servers
    .filter(group => group.joins === 0)
    .reduce((sum, group) => sum + group.count * serverRatePerMs(group, work), 0);
