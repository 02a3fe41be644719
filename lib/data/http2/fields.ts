// Fields as node:http2 wants them sent.

import { CONNECTION_FIELDS } from '../../core/connection-fields.ts';
import type { Fields } from '../../core/fields.ts';
import { isToken } from '../listener/syntax.ts';

/** As node checks in HTTP/1: what a backend must not smuggle through (RFC 9113, section 8.2.1). */
const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]/;

/** node:http2 sends any value it is given; a CR or LF in one would be a field of its own behind a downgrade. */
function checked(name: string, value: string): string {
  if (FORBIDDEN.test(value) || !isToken(name)) throw new TypeError(`invalid field ${JSON.stringify(name)}`);
  return value;
}

/** Status first, then the fields in their order; what belongs to an HTTP/1 connection is left out (RFC 9113, section 8.2.2). */
export function answerFields(status: number, fields: Fields): string[] {
  const list = [':status', String(status)];
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase();
    if (!CONNECTION_FIELDS.has(lower) && !(status === 204 && lower === 'content-length'))
      list.push(lower, checked(lower, fields[i + 1]!));
  }
  return list;
}

/** Node takes 1xx heads and trailers as an object only; repeats become arrays. */
export function asObject(fields: Fields): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase();
    if (CONNECTION_FIELDS.has(lower) || lower.startsWith(':')) continue;
    const value = checked(lower, fields[i + 1]!);
    const held = object[lower];
    if (held === undefined) object[lower] = value;
    else if (Array.isArray(held)) held.push(value);
    else object[lower] = [held, value];
  }
  return object;
}
