// A message that was understood, written anew as the proxy does it, and how it then has to be read.

import { answerHead, chunkSize, lastChunk, requestHead } from '../../lib/data/http1/codec/write.ts';
import type { NodeMessage } from './node-reading.ts';

const OURS = /^(connection|transfer-encoding|content-length|upgrade|expect|keep-alive)$/i;

export interface Regenerated {
  readonly bytes: string;
  readonly expected: NodeMessage;
}

/** Without what belongs to one connection; chunked when it has trailers or more than a few bytes, else with a length. */
export function regenerated(
  { first, fields, body, trailers }: NodeMessage,
  isRequest: boolean,
  headOnly: boolean,
): Regenerated {
  const kept = without(fields);
  const tail = without(trailers);
  const [method, target] = first.split(' ');
  if (isRequest && !kept.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host'))
    kept.push('Host', 'none');
  const bodyless = headOnly || (!isRequest && (first === '204' || first === '304'));
  const chunked = tail.length > 0 || body.length > 3;
  const framing: [string, string] = chunked
    ? ['Transfer-Encoding', 'chunked']
    : ['Content-Length', String(body.length)];
  const extra = bodyless ? '' : `${framing.join(': ')}\r\n`;
  const head = isRequest
    ? requestHead(method!, target!, kept, extra)
    : answerHead(Number(first), kept, extra);
  const end = lastChunk(tail);
  if (head === null || end === null) throw new Error(`what was read cannot be written: ${first}`);
  const pieces = chunked
    ? `${body === '' ? '' : `${chunkSize(body.length)}${body}\r\n`}${tail.length === 0 ? '0\r\n\r\n' : end}`
    : body;
  return {
    bytes: head + (bodyless ? '' : pieces),
    expected: {
      first: isRequest ? `${method} ${target} 1.1` : first,
      fields: bodyless ? kept : [...kept, ...framing],
      body,
      trailers: bodyless ? [] : tail,
      whole: true,
    },
  };
}

function without(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2)
    if (!OURS.test(fields[i]!)) kept.push(fields[i]!, fields[i + 1]!);
  return kept;
}
