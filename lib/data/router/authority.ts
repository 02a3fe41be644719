// Parses Host and :authority into one normal form: lower case, port apart, IPv6 canonical, nothing doubtful.

/** RFC 9110, section 7.2, as RFC 3986, section 3.2 writes it, without userinfo. */
export interface Authority {
  /** Lower case, without port and trailing dot; IPv6 in brackets; empty only for HTTP/1.0 without Host. */
  readonly host: string;
  /** 0 when none was given. */
  readonly port: number;
  /** `host` or `host:port`: what is matched and what a backend is told. */
  readonly text: string;
}

export const NO_AUTHORITY: Authority = Object.freeze({ host: '', port: 0, text: '' });

const MAX_HOST_CHARS = 255;

// What one character of a registered name does. reg-name allows sub-delims and percent-encoding too (RFC 3986,
// section 3.2.2), but no name that resolves or that a certificate holds has them, and `Host: a,b` or `a%00b`
// have only ever been used to make two parsers disagree.
const REFUSED = 0;
const PLAIN = 1;
const UPPER = 2;
const DOT = 3;
const COLON = 4;
const HOST_CHARS = new Uint8Array(128);
for (const char of 'abcdefghijklmnopqrstuvwxyz0123456789-_') HOST_CHARS[char.charCodeAt(0)] = PLAIN;
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') HOST_CHARS[char.charCodeAt(0)] = UPPER;
HOST_CHARS['.'.charCodeAt(0)] = DOT;
HOST_CHARS[':'.charCodeAt(0)] = COLON;

/** The normal form of a non-empty authority, or null when it is not one. */
export function parseAuthority(text: string): Authority | null {
  const length = text.length;
  if (length === 0) return null;
  if (text.charCodeAt(0) === 0x5b) return parseLiteral(text);
  let end = length;
  let upper = false;
  let lastDot = -1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? HOST_CHARS[code]! : REFUSED;
    if (kind === PLAIN) continue;
    if (kind === UPPER) upper = true;
    else if (kind === DOT) {
      if (i === lastDot + 1) return null; // an empty label, a leading dot included
      lastDot = i;
    } else if (kind === COLON) {
      end = i;
      break;
    } else return null;
  }
  const port = parsePort(text, end);
  const trailingDot = lastDot === end - 1;
  const hostEnd = trailingDot ? end - 1 : end;
  if (port < 0 || hostEnd <= 0 || hostEnd > MAX_HOST_CHARS) return null;
  const given = hostEnd === length ? text : text.slice(0, hostEnd);
  const host = upper ? given.toLowerCase() : given;
  if (port === 0) return { host, port, text: host };
  return { host, port, text: upper || trailingDot || isPadded(text, end) ? `${host}:${port}` : text };
}

/** `[v6]` or `[v6]:port`; zone identifiers are refused, since they mean nothing beyond one machine. */
function parseLiteral(text: string): Authority | null {
  const close = text.indexOf(']');
  if (close < 3 || close > 46 || !/^[0-9A-Fa-f:.]+$/.test(text.slice(1, close))) return null;
  if (close + 1 < text.length && text.charCodeAt(close + 1) !== 0x3a) return null;
  const port = parsePort(text, close + 1);
  if (port < 0) return null;
  const url = URL.parse(`http://${text.slice(0, close + 1)}/`); // one spelling of each address (RFC 5952)
  if (url === null) return null;
  const host = url.hostname;
  return { host, port, text: port === 0 ? host : `${host}:${port}` };
}

const isPadded = (text: string, colon: number): boolean => text.charCodeAt(colon + 1) === 0x30;

/** The port after the colon at `colon`; 0 when there is none or it is empty (RFC 3986 allows `host:`); -1 when bad. */
function parsePort(text: string, colon: number): number {
  const digits = text.length - colon - 1;
  if (digits <= 0) return 0;
  if (digits > 5) return -1;
  let port = 0;
  for (let i = colon + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port > 0 && port <= 65535 ? port : -1;
}

/** The same place, given that a left-out port is the scheme's own (RFC 9110, section 4.2.3). */
export function sameAuthority(a: Authority, b: Authority, scheme: 'http' | 'https'): boolean {
  if (a.host !== b.host) return false;
  const usual = scheme === 'https' ? 443 : 80;
  return (a.port || usual) === (b.port || usual);
}
