// The grammar both protocols hold a request line to; what these refuse is answered 400 whatever the wire.

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Narrower than reg-name (RFC 3986, section 3.2.2): a comma or another sub-delimiter in Host is two hosts merged or an
// attack, never a name in use.
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(?::(\d{1,5}))?$/;
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const ABSOLUTE = /^https?:\/\/([^/?]+)(?:[/?]|$)/i;

/** A token (RFC 9110, section 5.6.2) of sensible length. */
export const isToken = (text: string): boolean => text.length <= 256 && TOKEN.test(text);

/** `host`, `host:port`, `[v6]:port` (RFC 9110, section 7.2), without userinfo. */
export function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  return match !== null && (match[1] === undefined || Number(match[1]) <= 65535);
}

/** What is wrong with a request target (RFC 9112, section 3.2), or an empty string. */
export function targetFault(method: string, target: string): string {
  if (target === '*') return method === 'OPTIONS' ? '' : 'asterisk-form is for OPTIONS only';
  if (!TARGET.test(target)) return 'the target holds a control character, a space, # or a byte above 0x7e';
  if (target.startsWith('/')) return '';
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) return 'the target is neither a path nor an http URL';
  return isAuthority(absolute[1]!) ? '' : 'the authority in the target is not host[:port]';
}
