// All checks that look beyond a single value, over as much of the configuration as could be read.

import { checkClusters } from './checks/clusters.ts';
import { checkForecasts } from './checks/forecast.ts';
import { checkListeners } from './checks/listeners.ts';
import { checkPatterns } from './checks/patterns.ts';
import { checkReach } from './checks/reach.ts';
import { checkRoutes } from './checks/routes.ts';
import type { Draft } from './draft.ts';
import type { Finding } from './problem.ts';
import { checkReferences, type Surroundings } from './references.ts';

export const check = (draft: Draft, surroundings: Surroundings): Finding[] => [
  ...checkReferences(draft, surroundings),
  ...checkListeners(draft),
  ...checkRoutes(draft),
  ...checkPatterns(draft),
  ...checkReach(draft),
  ...checkClusters(draft),
  ...checkForecasts(draft),
];
