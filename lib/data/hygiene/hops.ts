// Reads X-Forwarded-For and Forwarded (RFC 7239) into hops: bounded, and nothing is believed that does not parse.

import { isIP } from 'node:net';
import { normaliseAddress } from '../../core/cidr.ts';

/** Longer chains are looked at from their end only, where the hops are that may be trusted. */
export const MAX_HOPS = 32;

/** One proxy's word on who came to it. `address` is empty for `unknown`, obfuscated and unreadable ones. */
export interface Hop {
  readonly address: string;
  readonly scheme: string;
}

/** The address of `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80` or `2001:db8::1`; empty when it is none. */
export function hopAddress(text: string): string {
  let bare = text;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close < 0 || !/^(?::\d{1,5})?$/.test(text.slice(close + 1))) return '';
    bare = text.slice(1, close);
    if (isIP(bare) !== 6) return '';
  } else {
    const colon = text.indexOf(':');
    if (colon > 0 && colon === text.lastIndexOf(':') && /^\d{1,5}$/.test(text.slice(colon + 1)))
      bare = text.slice(0, colon);
  }
  return isIP(bare) === 0 ? '' : normaliseAddress(bare);
}

/** The last hops of an X-Forwarded-For, in order. */
export function readForwardedFor(value: string): Hop[] {
  const hops: Hop[] = [];
  let end = value.length;
  while (end >= 0 && hops.length < MAX_HOPS) {
    const comma = end === 0 ? -1 : value.lastIndexOf(',', end - 1);
    const text = value.slice(comma + 1, end).trim();
    if (text !== '') hops.push({ address: hopAddress(text), scheme: '' });
    end = comma;
  }
  return hops.reverse();
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"/y;
const BLANKS = /[\t ]*/y;

/** The last hops of a Forwarded field (RFC 7239, section 4), in order; null when it is malformed anywhere. */
export function readForwarded(value: string): Hop[] | null {
  const hops: Hop[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (true) {
    let address = '';
    let scheme = '';
    let empty = true; // lists may have empty elements (RFC 9110, section 5.6.1)
    while (true) {
      take(BLANKS);
      const name = take(TOKEN)?.[0].toLowerCase();
      if (name !== undefined) {
        empty = false;
        if (value[at] !== '=') return null;
        at++;
        const quoted = take(QUOTED);
        const text = quoted === null ? take(TOKEN)?.[0] : quoted[1]!.replace(/\\(.)/g, '$1');
        if (text === undefined) return null;
        if (name === 'for') address = hopAddress(text);
        else if (name === 'proto') scheme = text.toLowerCase();
      }
      take(BLANKS);
      if (value[at] !== ';') break;
      at++;
    }
    if (!empty) hops.push({ address, scheme });
    if (hops.length > MAX_HOPS) hops.shift();
    if (at === value.length) return hops;
    if (value[at] !== ',') return null;
    at++;
  }
}
