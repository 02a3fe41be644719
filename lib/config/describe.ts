// What was found, in a few words fit for a message; secrets stay out of it.

import type { Path } from './problem.ts';

const LONGEST = 60;

/** Values under these keys never appear in a message, a log or an answer. */
const SECRET_PARENTS: readonly Path[] = [
  ['leases', 'keys'],
  ['telemetry', 'otlp', 'headers'],
];

const isSecret = (path: Path): boolean =>
  SECRET_PARENTS.some(secret => path.length > secret.length && secret.every((part, i) => path[i] === part));

export function quoted(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return JSON.stringify(shown);
}

export function describe(value: unknown, path: Path): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (isSecret(path)) return `${String(value).length} characters`;
  // A password in a URL is refused, and not repeated.
  return typeof value === 'string' ? quoted(value.replace(/\/\/[^/@]*@/, '//…@')) : String(value);
}

/** The value at `path`, or undefined. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
