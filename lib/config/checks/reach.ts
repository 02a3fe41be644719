// Routes that no request can reach, because one before takes everything they would.

import { quoted } from '../describe.ts';
import type { Draft } from '../draft.ts';
import { type Finding, warning } from '../problem.ts';
import { type RouteConfig, routeName } from '../proxy.ts';

type Match = RouteConfig['match'];

/** Quadratic in the number of routes, which the schema bounds at 1024. Only certain cases are told; regexes are not compared. */
export function* checkReach(draft: Draft): Generator<Finding> {
  for (const [i, route] of draft.routes.entries()) {
    if (route === undefined) continue;
    const before = draft.routes.findIndex(
      (other, j) => j < i && other !== undefined && covers(other.match, route.match),
    );
    if (before < 0) continue;
    yield warning(['routes', i], {
      what: `unreachable: routes[${before}] (${quoted(routeName(draft.routes[before]!, before))}) takes every request this one matches`,
      expected: 'the more particular route first',
    });
  }
}

/** Does `a` match every request that `b` matches? False when unsure. */
export function covers(a: Match, b: Match): boolean {
  return (
    hostsCover(a.hosts, b.hosts) &&
    pathCovers(a.path, b.path) &&
    (a.methods.length === 0 || (b.methods.length > 0 && b.methods.every(m => a.methods.includes(m)))) &&
    fieldsCover(a.headers, b.headers) &&
    fieldsCover(a.query, b.query)
  );
}

function hostsCover(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || a.includes('*')) return true;
  const one = (wide: string, narrow: string): boolean =>
    wide === narrow || (wide.startsWith('*.') && !narrow.startsWith('*') && narrow.endsWith(wide.slice(1)));
  return b.length > 0 && b.every(n => a.some(w => one(w.toLowerCase(), n.toLowerCase())));
}

function pathCovers(a: Match['path'], b: Match['path']): boolean {
  if (a === undefined || a.prefix === '/') return true;
  if (b === undefined) return false;
  if (a.exact !== undefined) return a.exact === b.exact;
  if (a.regex !== undefined) return a.regex === b.regex;
  const inner = b.prefix ?? b.exact;
  // Whole segments only: true under either reading of what a prefix is.
  return inner !== undefined && (inner === a.prefix || inner.startsWith(`${a.prefix!.replace(/\/$/, '')}/`));
}

const fieldsCover = (a: Match['headers'], b: Match['headers']): boolean =>
  a.every(wanted => b.some(given => JSON.stringify(given) === JSON.stringify(wanted)));
