// Finds the route of a path; built once from the table.

import { LeasewayError } from '../../core/errors.ts';
import type { AdminRoute } from './route.ts';

export type Match =
  | { readonly kind: 'route'; readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'method'; readonly allow: readonly string[] }
  | { readonly kind: 'none' };

export class Router {
  readonly #routes: readonly { readonly route: AdminRoute; readonly pattern: readonly string[] }[];

  constructor(routes: readonly AdminRoute[]) {
    this.#routes = routes.map(route => ({ route, pattern: route.path.split('/') }));
  }

  /** HEAD is served by GET. Throws BAD_REQUEST when the path is not valid percent-encoding. */
  find(method: string, path: string): Match {
    const segments = path.split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const allow: string[] = [];
    for (const { route, pattern } of this.#routes) {
      if (!fits(pattern, segments)) continue;
      if (route.method === wanted) return { kind: 'route', route, params: paramsOf(pattern, segments) };
      allow.push(route.method);
      if (route.method === 'GET') allow.push('HEAD');
    }
    return allow.length === 0 ? { kind: 'none' } : { kind: 'method', allow };
  }
}

const isParameter = (part: string): boolean => part.startsWith('{');

const fits = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length &&
  pattern.every((part, i) => (isParameter(part) ? segments[i] !== '' : part === segments[i]));

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  pattern.forEach((part, i) => {
    if (isParameter(part)) params[part.slice(1, -1)] = decoded(segments[i]!);
  });
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new LeasewayError('BAD_REQUEST', 'the path is not valid percent-encoding');
  }
}
