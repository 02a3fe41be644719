// Our reading against Node's: the same, or one of the differences we mean to have (the table in lib/data/http1/README.md).

import type { NodeMessage, NodeReading } from './node-reading.ts';
import type { OurReading } from './our-reading.ts';

/** We refuse, Node does not: what our refusal says. */
export const STRICTER: readonly (readonly [name: string, fault: RegExp])[] = [
  ['something but one CRLF before a request', /the method is not in capitals|a CR before the method/],
  ['HTTP/0.9, several spaces, # or a high byte in the target', /the target (is empty|holds)/],
  [
    'a target that is neither a path nor an http URL',
    /asterisk-form|neither a path nor|authority in the target/,
  ],
  ['a version other than HTTP/1.0 and HTTP/1.1', /the version is not HTTP/],
  ['methods of other protocols', /is not a method of HTTP/],
  ['TRACE and CONNECT', /^METHOD_REFUSED/],
  ['no Host, several, or one that is not host[:port]', /no Host|more than one Host|Host is not/],
  ['an expectation other than 100-continue', /an expectation other/],
  ['a WebSocket without a proper handshake', /^UPGRADE_REFUSED/],
  ['Transfer-Encoding that is not chunked alone', /Transfer-Encoding is not chunked/],
  ['Transfer-Encoding in HTTP/1.0', /Transfer-Encoding in HTTP\/1\.0/],
  ['both framings on an answer that has no body', /both Transfer-Encoding and Content-Length/],
  ['Content-Length with leading zeros or more than 15 digits', /Content-Length is not a plain number/],
  ['Content-Length twice on an answer that has no body', /more than one Content-Length/],
  ['a chunk extension that is not of the grammar', /a chunk extension without|a bad (name|value) of a chunk/],
  ['a chunk size over 2^53', /a chunk size beyond all numbers/],
  ['Content-Length, Transfer-Encoding or Host in trailers', /in the trailers$/],
  ['a control character in a reason', /a control character in the reason/],
  ['a status below 100', /the status is below 100/],
  ['an interim answer in HTTP/1.0', /an interim answer in HTTP/],
  ['101 that nobody asked for', /101 that nobody/],
];

/** Node refuses, we do not: what Node's parser says. */
export const LOOSER: readonly (readonly [name: string, code: RegExp, bytes: RegExp])[] = [
  ['methods that Node does not know', /HPE_INVALID_METHOD/, /(^|\n)[A-Z-]{1,32} /],
  [
    'what follows trailers or an interim answer with Connection: close',
    /HPE_CLOSED_CONNECTION/,
    /connection:[^\r\n]*close/i,
  ],
  ['requests behind an Upgrade that is not taken', /^$/, /connection:[^\r\n]*upgrade/i],
];

export interface Difference {
  readonly what: string;
  readonly bytes: string;
  readonly ours: OurReading;
  readonly node: NodeReading;
}

export const same = (a: NodeMessage, b: NodeMessage): boolean =>
  a.first === b.first &&
  a.body === b.body &&
  a.fields.join('\0') === b.fields.join('\0') &&
  a.trailers.join('\0') === b.trailers.join('\0');

/** Null when the readings agree; else the name of the difference we mean, or what is wrong. */
export function difference(
  bytes: string,
  ours: OurReading,
  node: NodeReading,
): { readonly meant: string } | { readonly wrong: Difference } | null {
  const wrong = (what: string): { wrong: Difference } => ({ wrong: { what, bytes, ours, node } });
  for (let i = 0; i < ours.messages.length; i++) {
    const our = ours.messages[i]!;
    if (!our.whole) break;
    const their = node.messages[i];
    if (their === undefined || !their.whole) {
      const meant = LOOSER.find(([, code, text]) => code.test(node.error) && text.test(bytes));
      return meant === undefined
        ? wrong('we take a message as whole that Node does not')
        : { meant: meant[0] };
    }
    if (!same(our, their)) return wrong('we read a message otherwise than Node does');
  }
  const whole = ours.messages.filter(message => message.whole).length;
  if (node.messages.filter(message => message.whole).length <= whole) return null;
  if (ours.last) return { meant: 'requests behind one of HTTP/1.0, whatever its Connection' };
  if (ours.fault === '')
    return ours.messages.length > 0 && ours.atRest ? null : wrong('Node has a whole message where we wait');
  const meant = STRICTER.find(([, fault]) => fault.test(ours.fault));
  return meant === undefined ? wrong('we refuse what Node takes') : { meant: meant[0] };
}
