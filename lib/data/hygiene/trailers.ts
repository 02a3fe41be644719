// Trailers in either direction: only what may come after a body, never what could change what came before it.

import { CONNECTION_FIELDS } from '../../core/connection-fields.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import { Kind, kindOf } from './field-kinds.ts';

/** RFC 9110, section 6.5.1: framing, routing, modifiers, authentication, content format and answer control. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ...CONNECTION_FIELDS,
  'host',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'trailer',
  'cache-control',
  'expect',
  'max-forwards',
  'pragma',
  'range',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'age',
  'date',
  'expires',
  'location',
  'retry-after',
  'vary',
  'warning',
]);

/** The trailers that are passed on; the same array when all are. */
export function forwardTrailers(received: Fields): Fields {
  for (let i = 0; i < received.length; i += 2) if (!mayPass(received[i]!)) return filtered(received);
  return received;
}

function filtered(received: Fields): Fields {
  const out: MutableFields = [];
  for (let i = 0; i < received.length; i += 2)
    if (mayPass(received[i]!)) out.push(received[i]!, received[i + 1]!);
  return out;
}

function mayPass(name: string): boolean {
  const lower = name.toLowerCase();
  if (FORBIDDEN.has(lower) || lower.startsWith('if-')) return false;
  return kindOf(lower) === Kind.keep;
}
