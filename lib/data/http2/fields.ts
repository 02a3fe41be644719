// Fields as node:http2 wants them sent.

import { CONNECTION_FIELDS } from '../../core/connection-fields.ts';
import type { Fields } from '../../core/fields.ts';

/** Status first, then the fields in their order; what belongs to an HTTP/1 connection is left out (RFC 9113, section 8.2.2). */
export function answerFields(status: number, fields: Fields): string[] {
  const list = [':status', String(status)];
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase();
    if (!CONNECTION_FIELDS.has(lower) && !(status === 204 && lower === 'content-length'))
      list.push(lower, fields[i + 1]!);
  }
  return list;
}

/** Node takes 1xx heads and trailers as an object only; repeats become arrays. */
export function asObject(fields: Fields): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase();
    if (CONNECTION_FIELDS.has(lower) || lower.startsWith(':')) continue;
    const held = object[lower];
    if (held === undefined) object[lower] = fields[i + 1]!;
    else if (Array.isArray(held)) held.push(fields[i + 1]!);
    else object[lower] = [held, fields[i + 1]!];
  }
  return object;
}
