// How check results add up to healthy or not: so many in a row to change one's mind, except for the very first.

export type Health = 'unknown' | 'up' | 'down';

/** A backend's standing with its checks. Immutable. */
export interface Standing {
  readonly health: Health;
  /** Results in a row that speak against `health`; below rise or fall. */
  readonly against: number;
}

export const UNCHECKED: Standing = Object.freeze({ health: 'unknown', against: 0 });
const UP: Standing = Object.freeze({ health: 'up', against: 0 });
const DOWN: Standing = Object.freeze({ health: 'down', against: 0 });

/**
 * The standing after one more result. The first result decides alone: at a cold start nobody wants to wait `rise`
 * intervals for a backend that answers, nor send traffic `fall` times to one that does not.
 */
export function afterCheck(before: Standing, ok: boolean, rise: number, fall: number): Standing {
  if (before.health === 'unknown') return ok ? UP : DOWN;
  if (ok === (before.health === 'up')) return before.health === 'up' ? UP : DOWN;
  const against = before.against + 1;
  if (before.health === 'up') return against >= fall ? DOWN : { health: 'up', against };
  return against >= rise ? UP : { health: 'down', against };
}

/** The detail of a result with what it still takes: `HTTP 503 (1 of 3 until down)`. */
export function explainStanding(standing: Standing, detail: string, rise: number, fall: number): string {
  if (standing.against === 0) return detail;
  return standing.health === 'up'
    ? `${detail} (${standing.against} of ${fall} until down)`
    : `${detail} (${standing.against} of ${rise} until up)`;
}
