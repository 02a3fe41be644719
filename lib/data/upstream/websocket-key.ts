// The nonce of the WebSocket handshake, where one side speaks HTTP/1.1 and the other HTTP/2.
//
// RFC 6455, section 4.1 has Sec-WebSocket-Key and -Accept; RFC 8441, section 5 has neither. Whoever opens the
// upstream gets an answer that fits the fields it gave: an Accept if they had a Key, none if they had none.

import { createHash, randomBytes } from 'node:crypto';
import { type Fields, fieldValue, hasField, type MutableFields, removeField } from '../../core/fields.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

export interface KeyedFields {
  readonly fields: Fields;
  /** The key that was made up here, or null when the fields had one. */
  readonly ownKey: string | null;
}

/** For a backend over HTTP/1.1: the fields with a key. */
export function withKey(fields: Fields): KeyedFields {
  if (hasField(fields, 'sec-websocket-key')) return { fields, ownKey: null };
  const ownKey = randomBytes(16).toString('base64');
  const keyed: MutableFields = [...fields, 'Sec-WebSocket-Key', ownKey];
  if (!hasField(fields, 'sec-websocket-version')) keyed.push('Sec-WebSocket-Version', '13');
  return { fields: keyed, ownKey };
}

/** Of a backend over HTTP/1.1: the accepted answer for fields that had no key, or null when it does not fit `ownKey`. */
export function withoutAccept(answer: Fields, ownKey: string): Fields | null {
  if (fieldValue(answer, 'sec-websocket-accept') !== acceptOf(ownKey)) return null;
  const fields: MutableFields = [...answer];
  removeField(fields, 'sec-websocket-accept');
  return fields;
}

/** Of a backend over HTTP/2: the accepted answer for the fields that asked. */
export function withAccept(answer: Fields, asked: Fields): Fields {
  const key = fieldValue(asked, 'sec-websocket-key');
  if (key === undefined || hasField(answer, 'sec-websocket-accept')) return answer;
  return [...answer, 'Sec-WebSocket-Accept', acceptOf(key)];
}
