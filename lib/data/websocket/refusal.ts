// Answers on a raw socket to a WebSocket handshake that did not succeed: the backend's own words, or ours.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS } from '../../core/errors.ts';
import { type Fields, hasField } from '../../core/fields.ts';
import type { Reason } from '../ports.ts';

function headText(status: number, fields: Fields): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${text}Connection: close\r\n\r\n`;
}

/** Our answer when there is none of the backend; the detail stays in the log. */
export function writeRefusal(client: Duplex, reason: Reason): number {
  const { status, says } = ERRORS[reason.code];
  const body = `${says}\n`;
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)];
  if (!client.destroyed && !client.writableEnded)
    client.end(headText(status, fields) + body, 'latin1', () => client.destroy());
  return status;
}

/**
 * Passes on what the backend answered instead of 101. `fields` are ready to send. Content of unknown length goes
 * chunked (RFC 9112, section 7.1), so that a cut shows; `done` hears how it ended.
 */
export function relayRefusal(
  client: Duplex,
  answer: IncomingMessage,
  fields: Fields,
  done: (whole: boolean) => void,
): void {
  const status = answer.statusCode ?? 502;
  const bodyless = status === 204 || status === 304;
  const chunked = !bodyless && !hasField(fields, 'content-length');
  client.write(headText(status, chunked ? [...fields, 'Transfer-Encoding', 'chunked'] : fields), 'latin1');
  answer.on('data', (chunk: Buffer) => {
    if (client.destroyed || bodyless) return;
    if (chunked) client.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    const more = client.write(chunk);
    if (chunked) client.write('\r\n', 'latin1');
    if (more) return;
    answer.pause();
    client.once('drain', () => answer.resume());
  });
  answer.on('error', () => {});
  answer.on('close', () => {
    if (answer.complete && !client.destroyed)
      client.end(chunked ? '0\r\n\r\n' : '', 'latin1', () => client.destroy());
    else client.destroy();
    done(answer.complete);
  });
}
