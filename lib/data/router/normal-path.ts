// The one normal form of a path (RFC 3986, section 6.2.2): what is matched is exactly what is forwarded.
//
// `//` stays `//`. An empty segment is a segment (RFC 3986, section 3.3): object stores and embedded URLs tell
// `/a//b` from `/a/b`, and a proxy that merges them asks for another resource than its client did. A backend that
// merges slashes itself must be matched by a regex that does so too; README says how.

/** `resolved`: dot segments were there and have been taken out. */
export interface NormalPath {
  readonly path: string;
  /** `%2F` or `%5C` is in it: only for routes that keep them. */
  readonly encodedSlash: boolean;
  readonly resolved: boolean;
}

export const PLAIN = 0;
/** `%`: decode or upper-case. */
const PERCENT = 1;
/** Not a path character (RFC 3986, section 3.3), but sent by browsers: written percent-encoded. */
const ENCODE = 2;
export const SLASH = 3;
export const QUESTION = 4;
const REFUSED = 5;

/** What each ASCII character does in a path. */
export const PATH_CHARS = new Uint8Array(128).fill(REFUSED);
const mark = (chars: string, kind: number): void => {
  for (const char of chars) PATH_CHARS[char.charCodeAt(0)] = kind;
};
mark("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@", PLAIN);
mark('%', PERCENT);
mark('"<>[]^`{|}', ENCODE);
mark('/', SLASH);
mark('?', QUESTION);

const HEX = '0123456789ABCDEF';
const HEX_VALUE = new Int8Array(128).fill(-1);
for (let i = 0; i < 16; i++) {
  HEX_VALUE[HEX.charCodeAt(i)] = i;
  HEX_VALUE[HEX.toLowerCase().charCodeAt(i)] = i;
}

const hexAt = (text: string, at: number): number => {
  const code = text.charCodeAt(at); // NaN beyond the end
  return code < 128 ? HEX_VALUE[code]! : -1;
};

/** The byte of the `%XX` at `at`, or -1. */
const byteAt = (text: string, at: number): number => {
  const high = hexAt(text, at + 1);
  const low = hexAt(text, at + 2);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
};

const isUnreserved = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x30 && byte <= 0x39) ||
  byte === 0x2d ||
  byte === 0x2e ||
  byte === 0x5f ||
  byte === 0x7e;

/** `%C0%AE` and its longer kin: UTF-8 that spells an ASCII character in more bytes than it needs (RFC 3629, section 3). */
function isOverlong(lead: number, next: number): boolean {
  if (lead === 0xc0 || lead === 0xc1) return next >= 0x80 && next <= 0xbf;
  return (lead === 0xe0 && next >= 0x80 && next <= 0x9f) || (lead === 0xf0 && next >= 0x80 && next <= 0x8f);
}

/** The normal form of a path that begins with `/`, or what is wrong with it. Linear in its length. */
export function normalisePath(raw: string): NormalPath | string {
  if (raw.charCodeAt(0) !== 0x2f) return 'the path does not begin with /';
  let decoded = '';
  let from = 0;
  let encodedSlash = false;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    const kind = code < 128 ? PATH_CHARS[code]! : REFUSED;
    if (kind === PLAIN || kind === SLASH) continue;
    if (kind === ENCODE) {
      decoded += `${raw.slice(from, i)}%${HEX[code >> 4]}${HEX[code & 15]}`;
      from = i + 1;
    } else if (kind === PERCENT) {
      const byte = byteAt(raw, i);
      if (byte < 0) return 'a % in the path is not followed by two hexadecimal digits';
      if (byte === 0) return 'the path holds an encoded NUL';
      if (raw.charCodeAt(i + 3) === 0x25 && isOverlong(byte, byteAt(raw, i + 3)))
        return 'the path holds overlong UTF-8';
      if (byte === 0x2f || byte === 0x5c) encodedSlash = true;
      const text = isUnreserved(byte) ? String.fromCharCode(byte) : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
      decoded += raw.slice(from, i) + text;
      i += 2;
      from = i + 1;
    } else return 'the path holds a character that a URI cannot have';
  }
  const path = from === 0 ? raw : decoded + raw.slice(from);
  if (/(?:\/|%2F|%5C)\.\.?;/.test(path)) return 'a dot segment has parameters';
  if (encodedSlash && /\/\.\.?(?:%2F|%5C)|(?:%2F|%5C)\.\.?(?:\/|%2F|%5C|$)/.test(path))
    return 'a dot segment hides behind an encoded slash';
  if (!/\/\.\.?(?:\/|$)/.test(path)) return { path, encodedSlash, resolved: false };
  return { path: removeDotSegments(path), encodedSlash, resolved: true };
}

/** RFC 3986, section 5.2.4, for a path that begins with `/`. */
function removeDotSegments(path: string): string {
  const segments = path.split('/'); // the first is empty
  const kept: string[] = [];
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!;
    const last = i === segments.length - 1;
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop();
      if (last) kept.push('');
    } else kept.push(segment);
  }
  return `/${kept.join('/')}`;
}
