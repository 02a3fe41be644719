// The lease cookie among the others: found and removed without taking the Cookie field apart, written with every guard.

const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;
const SEMICOLON = ';';

/** A client may send a name more than once (RFC 6265, section 5.4: one for each path and domain); more are not looked at. */
const MAX_CANDIDATES = 4;

const isBlank = (code: number): boolean => code === SPACE || code === TAB;

/** True when the pair in [start, end) has exactly this name; blanks around it do not count, as servers trim them. */
function pairIs(header: string, start: number, end: number, name: string): boolean {
  let at = start;
  while (at < end && isBlank(header.charCodeAt(at))) at++;
  if (!header.startsWith(name, at)) return false;
  at += name.length;
  while (at < end && isBlank(header.charCodeAt(at))) at++;
  return at >= end || header.charCodeAt(at) === EQUALS;
}

function cookieValue(header: string, start: number, end: number): string {
  const equals = header.indexOf('=', start);
  if (equals < 0 || equals >= end) return '';
  const value = header.slice(equals + 1, end).trim();
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** The values of the cookie in one Cookie field, in order, at most four; null when it is not there. */
export function findCookie(header: string, name: string): string[] | null {
  if (!header.includes(name)) return null;
  let found: string[] | null = null;
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(SEMICOLON, start);
    const end = semicolon < 0 ? header.length : semicolon;
    if (pairIs(header, start, end, name)) {
      found ??= [];
      found.push(cookieValue(header, start, end));
      if (found.length === MAX_CANDIDATES) break;
    }
    start = end + 1;
  }
  return found;
}

/** The Cookie field without the lease cookie and without those whose name begins with `prefix`; empty when none is left. */
export function removeCookie(header: string, name: string, prefix: string): string {
  if (!header.includes(prefix) && !header.includes(name)) return header;
  let kept = '';
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(SEMICOLON, start);
    const end = semicolon < 0 ? header.length : semicolon;
    let first = start;
    while (first < end && isBlank(header.charCodeAt(first))) first++;
    if (first < end && !header.startsWith(prefix, first) && !pairIs(header, first, end, name)) {
      const pair = header.slice(first, end);
      kept = kept === '' ? pair : `${kept}; ${pair}`;
    }
    start = end + 1;
  }
  return kept;
}

export interface CookieOptions {
  readonly name: string;
  readonly path: string;
  readonly sameSite: 'Lax' | 'Strict' | 'None';
  readonly secure: 'auto' | 'always' | 'never';
  /** The preference outlives the term: `remember`. */
  readonly maxAgeMs: number;
}

/**
 * Writes Set-Cookie (RFC 6265, section 4.1) with everything but the token made beforehand. HttpOnly always: scripts have no use for it.
 * SameSite=None and the `__Secure-` and `__Host-` prefixes are void without Secure, so they bring it.
 */
export function cookieWriter(options: CookieOptions): (token: string, encrypted: boolean) => string {
  const { name, path, sameSite, secure, maxAgeMs } = options;
  const needsSecure = sameSite === 'None' || name.startsWith('__Secure-') || name.startsWith('__Host-');
  const attributes = `; Path=${path}; Max-Age=${Math.max(1, Math.floor(maxAgeMs / 1000))}; HttpOnly; SameSite=${sameSite}`;
  const plain = secure === 'always' || needsSecure ? `${attributes}; Secure` : attributes;
  const encryptedToo = secure === 'never' && !needsSecure ? attributes : `${attributes}; Secure`;
  return (token, encrypted) => `${name}=${token}${encrypted ? encryptedToo : plain}`;
}
