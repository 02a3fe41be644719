// What the Connection field names is removed too (RFC 9110, section 7.6.1), except what no client may have removed.

import { type MutableFields, nameIs } from '../../core/fields.ts';

/**
 * A sender must not name fields meant for every recipient; attackers do, to strip what the backend relies on: credentials,
 * the host, the body's length and type, conditions, and what the proxies before us have said (the abuse of hop-by-hop fields).
 */
const KEPT = new Set([
  'authorization',
  'cookie',
  'host',
  'origin',
  'range',
  'cache-control',
  'pragma',
  'date',
  'via',
  'forwarded',
  'traceparent',
  'tracestate',
]);
const KEPT_PREFIXES = [
  'content-',
  'if-',
  'sec-',
  'x-forwarded-',
  'x-real-',
  'x-request-',
  'grpc-',
  'access-control-',
];

/** More options than any client has reason to send; the rest is taken as the padding it is. */
const MAX_OPTIONS = 16;

/** Those that name no field of their own, or one that is removed in any case. */
const WITHOUT_FIELD = new Set(['', 'close', 'keep-alive', 'upgrade', 'te', 'http2-settings']);

/** Adds the fields (lower case) that a Connection value asks to have removed; null stays null when there are none. */
export function namedByConnection(value: string, named: string[] | null): string[] | null {
  if (value === 'keep-alive' || value === 'close' || value === 'Upgrade') return named;
  let found = named;
  let count = 0;
  for (let start = 0; start <= value.length && count < MAX_OPTIONS; count++) {
    const comma = value.indexOf(',', start);
    const end = comma < 0 ? value.length : comma;
    const option = value.slice(start, end).trim().toLowerCase();
    start = end + 1;
    if (
      WITHOUT_FIELD.has(option) ||
      KEPT.has(option) ||
      KEPT_PREFIXES.some(prefix => option.startsWith(prefix))
    )
      continue;
    found ??= [];
    found.push(option);
  }
  return found;
}

export function removeNamed(fields: MutableFields, named: readonly string[]): void {
  let kept = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    if (named.some(lower => nameIs(name, lower))) continue;
    fields[kept] = name;
    fields[kept + 1] = fields[i + 1]!;
    kept += 2;
  }
  fields.length = kept;
}
