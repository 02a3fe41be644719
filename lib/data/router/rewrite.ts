// Path rewriting: a new prefix or a new path from a pattern's groups; the result must be in normal form again.

import type { RouteConfig } from '../../config/proxy.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { Reason } from '../ports.ts';
import { normalisePath } from './normal-path.ts';
import { withoutSlashAtEnd } from './path-tree.ts';
import { compilePattern, type Pattern } from './pattern.ts';

/** The new path, or null when it cannot be one. */
export type PathRewrite = (path: string) => string | null;

/** Null when the route does not change the path. */
export function compileRewrite(route: RouteConfig, where: string): PathRewrite | null {
  const rewrite = route.rewrite;
  if (rewrite === undefined) return null;
  if (rewrite.prefix !== undefined) {
    if (rewrite.regex !== undefined || rewrite.to !== undefined)
      throw new LeasewayError('CONFIG_INVALID', `${where}.rewrite: prefix or regex, not both`);
    const path = route.match.path;
    if (path?.regex !== undefined)
      throw new LeasewayError('CONFIG_INVALID', `${where}.rewrite.prefix: the route matches by regex`);
    return prefixRewrite(
      literal(path?.exact ?? path?.prefix ?? '/', where),
      literal(rewrite.prefix, `${where}.rewrite.prefix`),
    );
  }
  if (rewrite.regex === undefined && rewrite.to === undefined) return null;
  if (rewrite.regex === undefined || rewrite.to === undefined)
    throw new LeasewayError('CONFIG_INVALID', `${where}.rewrite: regex and to go together`);
  return patternRewrite(compilePattern(rewrite.regex, `${where}.rewrite.regex`), rewrite.to, where);
}

/** `/api` → `/v2`: `/api/x` becomes `/v2/x` and `/api` becomes `/v2`. */
function prefixRewrite(from: string, to: string): PathRewrite {
  const cut = withoutSlashAtEnd(from).length;
  const bare = withoutSlashAtEnd(to);
  // Both parts are normal and meet at a slash, so the whole is normal.
  return path => bare + path.slice(cut) || '/';
}

/** `$1` is the first group, `$0` the whole path, `$$` a dollar. A path that the pattern does not match is left as it is. */
function patternRewrite(pattern: Pattern, to: string, where: string): PathRewrite {
  const parts: (string | number)[] = [];
  for (const [, text, group] of to.matchAll(/((?:[^$]|\$\$)+)|\$(\d{1,2})|\$/g)) {
    if (text !== undefined) parts.push(encodeRaw(text.replaceAll('$$', '$')));
    else if (group !== undefined && Number(group) <= pattern.groupCount) parts.push(Number(group));
    else throw new LeasewayError('CONFIG_INVALID', `${where}.rewrite.to: the regex has no such group`);
  }
  const fixed = normalisePath(`/${parts.filter(part => typeof part === 'string').join('')}`);
  const begins = to.startsWith('/') || typeof parts[0] === 'number';
  if (!begins || typeof fixed === 'string' || fixed.resolved)
    throw new LeasewayError('CONFIG_INVALID', `${where}.rewrite.to: expected a path without a query`);
  return path => {
    const groups = pattern.groups(path);
    if (groups === null) return path;
    let result = '';
    for (const part of parts) result += typeof part === 'string' ? part : groups[part]!;
    // What a client wrote must not climb out of where the operator put it: `/files(.*)` → `/static/$1` with `/files..`.
    const normal = normalisePath(result);
    return typeof normal === 'string' || normal.resolved ? null : normal.path;
  };
}

const encodeRaw = (path: string): string => path.replace(/[^\x21-\x7e]+/g, encodeURIComponent);

function literal(path: string, where: string): string {
  const normal = normalisePath(encodeRaw(path));
  if (typeof normal === 'string') throw new LeasewayError('CONFIG_INVALID', `${where}: ${normal}`);
  return normal.path;
}

/** The path for the backend; BAD_REQUEST when the client's path would leave the place it was rewritten to. */
export function rewritePath(rewrite: PathRewrite | null, path: string): string | Reason {
  if (rewrite === null || path === '*') return path;
  return rewrite(path) ?? { code: 'BAD_REQUEST', detail: 'the rewritten path is not in normal form' };
}
