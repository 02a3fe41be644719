// Tells HTTP/2 with prior knowledge from HTTP/1 by the first bytes (RFC 9113, section 3.4).

import { MORE, type Verdict } from './peek.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** The whole preface must come before it counts as HTTP/2, so that a request that merely begins like it is refused as HTTP/1. */
export function protocolOf(bytes: Buffer): Verdict<'http1' | 'h2'> {
  const seen = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, seen, 0, seen) !== 0) return { kind: 'done', value: 'http1', used: 0 };
  return seen === PREFACE.length ? { kind: 'done', value: 'h2', used: 0 } : MORE;
}

export const PREFACE_BYTES = PREFACE.length;
