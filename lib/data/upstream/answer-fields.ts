// Which fields of a backend's answer go on: all but those that speak of the connection they came on.

import { type Fields, type MutableFields, nameIs, removeField } from '../../core/fields.ts';

/** RFC 9110, section 7.6.1. `Trailer` stays: it announces what is passed on. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);
const LONGEST = 'transfer-encoding'.length;

export interface SiftedFields {
  readonly fields: Fields;
  /** Why the answer may not be passed on, or empty. */
  readonly problem: string;
}

/** Removes connection-specific fields, those named by Connection included; keeps order, case and repeats. */
export function siftAnswerFields(raw: readonly (string | Uint8Array)[]): SiftedFields {
  const fields: MutableFields = [];
  let named = '';
  let problem = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]!);
    if (name.length <= LONGEST && CONNECTION_SPECIFIC.has(name.toLowerCase())) {
      const value = text(raw[i + 1]!);
      if (nameIs(name, 'connection')) named += `,${value}`;
      // The coding is undone here, and chunked is the only one we undo (RFC 9112, section 6.1): what else is
      // applied would reach the client as if it were the content.
      else if (nameIs(name, 'transfer-encoding') && value.trim().toLowerCase() !== 'chunked')
        problem = `transfer coding ${JSON.stringify(value)}`;
      continue;
    }
    if (name.charCodeAt(0) !== 0x3a) fields.push(name, text(raw[i + 1]!));
  }
  if (named !== '') removeNamed(fields, named);
  return { fields, problem };
}

function removeNamed(fields: MutableFields, tokens: string): void {
  for (const token of tokens.toLowerCase().split(',')) {
    const name = token.trim();
    if (name !== '' && name !== 'close' && name !== 'keep-alive' && name !== 'upgrade')
      removeField(fields, name);
  }
}

const text = (part: string | Uint8Array): string =>
  typeof part === 'string'
    ? part
    : Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
