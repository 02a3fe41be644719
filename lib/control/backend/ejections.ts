// Outlier ejection over a whole cluster: who returns, who wants out, and how many may.

import type { BackendTotals } from '../../scoreboard/ports.ts';
import type { Backend } from './backend.ts';
import { isEligible, isUsable, type Standpoint } from './judge.ts';
import { ejectionRoom, ejectOutlier, type OutlierRules, observeOutlier, wantsEjection } from './outlier.ts';

export interface Ejections {
  readonly ejected: readonly Backend[];
  readonly returned: readonly Backend[];
}

/** Moves every backend's outlier record on. The worst go first when there is not room for all. */
export function moveOutliers(
  backends: readonly Backend[],
  totalsOf: (backend: Backend) => BackendTotals,
  standpointOf: (backend: Backend) => Standpoint,
  nowMs: number,
  rules: OutlierRules,
): Ejections {
  const returned: Backend[] = [];
  const wanting: { readonly backend: Backend; readonly run: number }[] = [];
  for (const backend of backends) {
    const totals = totalsOf(backend);
    const wasOut = backend.outlier.ejectedUntilMs !== null;
    backend.outlier = observeOutlier(backend.outlier, totals, nowMs, rules);
    if (wasOut && backend.outlier.ejectedUntilMs === null) returned.push(backend);
    if (wantsEjection(backend.outlier, totals, rules))
      wanting.push({ backend, run: totals.consecutiveFailures });
  }
  if (wanting.length === 0) return { ejected: [], returned };

  const views = backends.map(standpointOf);
  const out = views.filter(view => view.ejected && view.admin === 'ready').length;
  const eligible = views.filter(isEligible);
  const usable = eligible.filter(isUsable).length;
  let room = ejectionRoom(eligible.length, out, usable, rules.max_ejected);
  const ejected: Backend[] = [];
  for (const { backend, run } of wanting.sort((a, b) => b.run - a.run)) {
    if (room === 0) break;
    // What checks or operators keep out already would only use up the room.
    const view = standpointOf(backend);
    if (view.admin !== 'ready' || !isUsable(view)) continue;
    const again = backend.outlier.probation;
    backend.outlier = ejectOutlier(backend.outlier, nowMs, rules);
    backend.ejectionDetail = again ? 'failed again after its return' : `${run} failures in a row`;
    ejected.push(backend);
    room--;
  }
  return { ejected, returned };
}
