// The WebSocket opening handshake of HTTP/1.1 (RFC 6455, section 4.2), seen from the server.

import { createHash } from 'node:crypto';
import { type Fields, fieldValue, fieldValues, hasField, joinedValue } from '../../core/fields.ts';
import { type Refusal, refusal } from '../listener/refusal.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64: the last character carries two bits. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** True when the head asks for WebSocket at all; any other Upgrade is ignored, as RFC 9110, section 7.8 allows. */
export function asksForWebSocket(fields: Fields): boolean {
  const upgrade = joinedValue(fields, 'upgrade');
  if (upgrade?.trim().toLowerCase() !== 'websocket') return false;
  const options = joinedValue(fields, 'connection') ?? '';
  return options.split(',').some(option => option.trim().toLowerCase() === 'upgrade');
}

/** Why the handshake cannot be accepted, or null. */
export function websocketFault(fields: Fields): Refusal | null {
  const keys = fieldValues(fields, 'sec-websocket-key');
  if (keys.length !== 1 || !KEY.test(keys[0]!))
    return refusal('UPGRADE_REFUSED', 'malformed Sec-WebSocket-Key');
  if (fieldValue(fields, 'sec-websocket-version') !== '13')
    return refusal('UPGRADE_REFUSED', 'Sec-WebSocket-Version is not 13', 426);
  if (hasField(fields, 'content-length') || hasField(fields, 'transfer-encoding'))
    return refusal('UPGRADE_REFUSED', 'an upgrade with a body');
  return null;
}

/** Sec-WebSocket-Accept for the client's key. */
const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

/** The 101 head. The accept is ours: a backend's belongs to the key that it was sent. */
export function switchingHead(requestFields: Fields, answerFields: Fields): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  head += `Sec-WebSocket-Accept: ${acceptOf(fieldValue(requestFields, 'sec-websocket-key') ?? '')}\r\n`;
  for (let i = 0; i < answerFields.length; i += 2) {
    const lower = answerFields[i]!.toLowerCase();
    if (lower === 'connection' || lower === 'upgrade' || lower === 'sec-websocket-accept') continue;
    head += `${answerFields[i]}: ${answerFields[i + 1]}\r\n`;
  }
  return `${head}\r\n`;
}
