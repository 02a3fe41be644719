// Request target → the one normal form that is both matched and forwarded; what is ambiguous is refused, not repaired.

import type { Reason, RequestHead } from '../ports.ts';
import { type Authority, NO_AUTHORITY, parseAuthority, sameAuthority } from './authority.ts';
import { normalisePath, PATH_CHARS, PLAIN, QUESTION, SLASH } from './normal-path.ts';

/** A request target in normal form (RFC 9112, section 3.2; RFC 3986, section 6.2.2). */
export interface Target {
  /** Begins with `/`, or is `*`. */
  readonly path: string;
  /** With its `?`, or empty; the client's own bytes. */
  readonly query: string;
  readonly authority: Authority;
  /** `%2F` or `%5C` is in the path: the route decides (`encoded_slash`). */
  readonly encodedSlash: boolean;
}

export const isReason = (value: object): value is Reason => 'code' in value;

const bad = (detail: string): Reason => ({ code: 'BAD_REQUEST', detail });

const DOT = 0x2e;

/** The normal form of a request's target, or why it is refused. Does not allocate strings when it is normal already. */
export function normalForm(head: RequestHead): Target | Reason {
  if (head.method === 'TRACE' || (head.method === 'CONNECT' && head.protocol === ''))
    return { code: 'METHOD_REFUSED', detail: head.method };
  let authority = NO_AUTHORITY;
  if (head.authority !== '') {
    const parsed = parseAuthority(head.authority);
    if (parsed === null) return bad('Host is not a valid host and port');
    authority = parsed;
  } else if (head.version !== '1.0') return bad('Host is empty');
  const target = head.target;
  const first = target.charCodeAt(0);
  if (first === 0x2f) return withPath(target, 0, authority);
  if (first === 0x2a && target.length === 1) {
    if (head.method !== 'OPTIONS') return bad('the target * is for OPTIONS only');
    return { path: '*', query: '', authority, encodedSlash: false };
  }
  return absoluteForm(head, authority);
}

/** RFC 9112, section 3.2.2, but a Host that disagrees is refused: ignoring it is how two parsers part ways. */
function absoluteForm(head: RequestHead, host: Authority): Target | Reason {
  const match = /^(https?):\/\/([^/?#\\]*)/i.exec(head.target);
  if (match === null) return bad('the target is neither a path nor an http or https URI');
  const scheme = match[1]!.toLowerCase() as 'http' | 'https';
  if (scheme !== head.scheme) return bad(`the target says ${scheme} on a connection that is ${head.scheme}`);
  const authority = parseAuthority(match[2]!);
  if (authority === null) return bad('the authority of the target is not a valid host and port');
  if (host.host !== '' && !sameAuthority(authority, host, scheme)) return bad('target and Host disagree');
  const start = match[0].length;
  if (start === head.target.length) {
    // RFC 9110, section 9.3.7: OPTIONS of the whole server; otherwise an empty path is `/`.
    const path = head.method === 'OPTIONS' ? '*' : '/';
    return { path, query: '', authority, encodedSlash: false };
  }
  if (head.target.charCodeAt(start) === 0x2f) return withPath(head.target, start, authority);
  return withPath(`/${head.target.slice(start)}`, 0, authority);
}

/** Path and query of `text` from `start`, where a `/` stands. One scan; the work is left to normalisePath. */
function withPath(text: string, start: number, authority: Authority): Target | Reason {
  let normal = true;
  let afterSlash = false;
  let end = text.length;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? PATH_CHARS[code]! : -1;
    if (kind === PLAIN) {
      // Only a dot segment needs work, and `/.well-known` is none.
      if (code === DOT && afterSlash && !isPlainAfterDot(text.charCodeAt(i + 1))) normal = false;
      afterSlash = false;
    } else if (kind === SLASH) afterSlash = true;
    else if (kind === QUESTION) {
      end = i;
      break;
    } else normal = false;
  }
  const query = end === text.length ? '' : text.slice(end);
  if (query !== '' && !isQuery(query)) return bad('the query holds a character that a URI cannot have');
  const raw = start === 0 && end === text.length ? text : text.slice(start, end);
  if (normal) return { path: raw, query, authority, encodedSlash: false };
  const path = normalisePath(raw);
  if (typeof path === 'string') return bad(path);
  return { path: path.path, query, authority, encodedSlash: path.encodedSlash };
}

/** Whatever may follow `/.` without making it a dot segment, or one with parameters. */
const isPlainAfterDot = (code: number): boolean =>
  code < 128 && code !== DOT && code !== 0x3b && PATH_CHARS[code] === PLAIN;

/** Bytes of a query are the application's (`q=100%`, `a|b`, `c:\d` are all sent by browsers); these never are. */
function isQuery(query: string): boolean {
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return false;
  }
  return true;
}
