// The Location of a redirect, filled in from the request so that nothing a client sends can become host or header.

import { LeasewayError } from '../../core/errors.ts';
import type { Target } from './normal-form.ts';

/** The Location, or null when the request lacks what the template needs (HTTP/1.0 without Host). */
export interface RedirectTemplate {
  readonly status: number;
  location(target: Target): string | null;
}

type Part = { readonly text: string } | { readonly fill: 'host' | 'path' | 'query' };

/** `{host}` is without port (the port of the other scheme is not the client's), `{query}` without its `?`. */
export function compileRedirect(
  redirect: { readonly status: number; readonly to: string },
  where: string,
): RedirectTemplate {
  const parts = parseTemplate(redirect.to, `${where}.redirect.to`);
  const needsHost = parts.some(part => 'fill' in part && part.fill === 'host');
  return {
    status: redirect.status,
    location(target) {
      if (needsHost && target.authority.host === '') return null;
      let location = '';
      for (const part of parts) {
        if ('text' in part) location += part.text;
        else if (part.fill === 'host') location += target.authority.host;
        else if (part.fill === 'path') location += target.path === '*' ? '/' : target.path;
        else if (target.query.length > 1) location += encodeQuery(target.query.slice(1));
        // `…?{query}` without a query leaves no bare `?` behind
        else if (location.endsWith('?') || location.endsWith('&')) location = location.slice(0, -1);
      }
      // `//evil.example` would be another host (RFC 3986, section 4.2); `/.` says that it is a path (WHATWG URL does so too).
      return location.startsWith('//') && !redirect.to.startsWith('//') ? `/.${location}` : location;
    },
  };
}

function parseTemplate(template: string, where: string): readonly Part[] {
  const parts: Part[] = [];
  for (const [piece, name] of template.matchAll(/\{([^}]*)\}|[^{]+|\{/g)) {
    if (name === 'host' || name === 'path' || name === 'query') parts.push({ fill: name });
    else if (piece.startsWith('{'))
      throw new LeasewayError(
        'CONFIG_INVALID',
        `${where}: expected {host}, {path} or {query}, found ${piece}`,
      );
    else parts.push({ text: encodeText(piece, where) });
  }
  return parts;
}

function encodeText(text: string, where: string): string {
  if (/[\x00-\x1f\x7f]/.test(text))
    throw new LeasewayError('CONFIG_INVALID', `${where}: a control character`);
  return text.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** Characters that no query has (RFC 3986, section 3.4) but browsers send; normalForm has refused control characters. */
const encodeQuery = (query: string): string =>
  /["<>\\^`{|}[\]]/.test(query)
    ? query.replace(/["<>\\^`{|}[\]]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    : query;
