// Heads, chunks and trailers as bytes. Every head is written anew from its parts; what cannot be written is said, not sent.

import { STATUS_CODES } from 'node:http';
import { type Fields, nameIs } from '../../../core/fields.ts';
import type { KnownFields } from '../../ports.ts';
import { TARGET, TOKEN } from './bytes.ts';

/** Also whatever Latin-1 cannot hold: cut to a byte, U+010A would be a line feed. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Up to here a chunk is copied behind what precedes it: one write instead of several. */
export const COALESCE_BYTES = 16 * 1024;

/** Lines of the fields, each with its CRLF; null when one cannot be sent. Connection and Transfer-Encoding are the writer's alone. */
function fieldLines(fields: Fields, from = 0): string | null {
  let lines = '';
  for (let i = from; i + 1 < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    if (!isName(name) || UNSENDABLE.test(value)) return null;
    if (name.length === 10 ? nameIs(name, 'connection') : name.length === 17 && isCoding(name)) return null;
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** `extra` are whole lines; `known` is what the fields begin with. Null when the request cannot be sent. */
export function requestHead(
  method: string,
  target: string,
  fields: Fields,
  extra: string,
  known: KnownFields | null = null,
): string | null {
  if (known !== null) known.lines ??= knownLines(known);
  const before = known === null ? '' : known.lines;
  const lines = fieldLines(fields, known === null ? 0 : known.fields.length);
  if (before === null || lines === null || !isName(method) || !isTarget(target)) return null;
  return `${method} ${target} HTTP/1.1\r\n${before}${lines}${extra}\r\n`;
}

/** Lines that will be written again are kept as one piece of text: one that still consists of parts is put together at each write. */
function knownLines(known: KnownFields): string | null {
  const lines = fieldLines(known.fields);
  return lines === null ? null : Buffer.from(lines, 'latin1').toString('latin1');
}

/** `extra` are whole lines; `known` are the fields when they were sent before. Null when the answer cannot be sent. */
export function answerHead(
  status: number,
  fields: Fields,
  extra: string,
  known: KnownFields | null = null,
): string | null {
  if (known !== null) known.lines ??= knownLines(known);
  const lines = known === null ? fieldLines(fields) : known.lines;
  if (lines === null || !Number.isInteger(status) || status < 100 || status > 999) return null;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}${extra}\r\n`;
}

/** The last chunk with trailers; null when one cannot be sent. */
export function lastChunk(trailers: Fields): string | null {
  const lines = fieldLines(trailers);
  return lines === null ? null : `0\r\n${lines}\r\n`;
}

export const chunkSize = (bytes: number): string => `${bytes.toString(16)}\r\n`;

/** Text, a piece of body and text, as one buffer. */
export function joined(before: string, piece: Uint8Array, behind: string): Buffer {
  const whole = Buffer.allocUnsafe(before.length + piece.length + behind.length);
  whole.write(before, 0, 'latin1');
  whole.set(piece, before.length);
  if (behind !== '') whole.write(behind, before.length + piece.length, 'latin1');
  return whole;
}

const isCoding = (name: string): boolean => nameIs(name, 'transfer-encoding');

function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (TOKEN[name.charCodeAt(i)] !== 1) return false;
  return name !== '';
}

function isTarget(target: string): boolean {
  for (let i = 0; i < target.length; i++) if (TARGET[target.charCodeAt(i)] !== 1) return false;
  return target !== '';
}
