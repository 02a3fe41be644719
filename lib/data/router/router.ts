// Finds the route of a request: by host, then by path, then by the rest; the first in the file that matches is taken.

import type { RouteConfig } from '../../config/proxy.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { RequestHead } from '../ports.ts';
import { parseAuthority } from './authority.ts';
import { headersMatch, queryMatches } from './field-match.ts';
import type { Target } from './normal-form.ts';
import { normalisePath } from './normal-path.ts';
import { PathTree } from './path-tree.ts';
import { compilePattern } from './pattern.ts';
import { type CompiledRoute, compileRoute } from './route.ts';

export interface Router {
  /** In the order of the file. */
  readonly routes: readonly CompiledRoute[];
  /** Null when none matches. Synchronous; costs the depth of host and path, not the number of routes. */
  match(head: RequestHead, target: Target): CompiledRoute | null;
}

/** Throws CONFIG_INVALID for what the schema cannot see (patterns, paths that cannot be, reserved fields). */
export function compileRouter(configs: readonly RouteConfig[]): Router {
  return new HostRouter(configs.map(compileRoute));
}

class HostRouter implements Router {
  readonly routes: readonly CompiledRoute[];
  readonly #exact = new Map<string, PathTree>();
  /** By what follows the star: `.example.org`. One or more labels stand for it, as in DNS (RFC 4592). */
  readonly #wildcards = new Map<string, PathTree>();
  readonly #anyHost = new PathTree();

  constructor(routes: readonly CompiledRoute[]) {
    this.routes = routes;
    for (const route of routes) {
      const add = pathAdder(route);
      // A set: a route that names a host twice, or once in capitals, is in its tree once.
      for (const tree of new Set(this.#treesOf(route))) add(tree);
    }
  }

  *#treesOf(route: CompiledRoute): Iterable<PathTree> {
    const hosts = route.config.match.hosts;
    if (hosts.length === 0) yield this.#anyHost;
    for (const host of hosts) {
      if (host === '*') yield this.#anyHost;
      else if (host.startsWith('*.')) yield treeAt(this.#wildcards, normalHost(host.slice(2), route, '.'));
      else yield treeAt(this.#exact, normalHost(host, route, ''));
    }
  }

  match(head: RequestHead, target: Target): CompiledRoute | null {
    const accepts = (index: number): boolean => acceptsRest(this.routes[index]!, head, target);
    const { path } = target;
    const { host } = target.authority;
    const none = this.routes.length;
    let best = this.#exact.get(host)?.find(path, none, accepts) ?? none;
    if (this.#wildcards.size > 0)
      // At most 127 labels fit a name.
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1))
        best = this.#wildcards.get(host.slice(dot))?.find(path, best, accepts) ?? best;
    best = this.#anyHost.find(path, best, accepts);
    return best === none ? null : this.routes[best]!;
  }
}

function acceptsRest(route: CompiledRoute, head: RequestHead, target: Target): boolean {
  if (route.methods.length > 0) {
    // An extended CONNECT (RFC 8441) asks for what a GET with Upgrade asks for.
    const method = head.method === 'CONNECT' ? 'GET' : head.method;
    if (!route.methods.includes(method)) return false;
  }
  if (route.headers.length > 0 && !headersMatch(route.headers, head.fields)) return false;
  return route.query.length === 0 || queryMatches(route.query, target.query);
}

function treeAt(trees: Map<string, PathTree>, key: string): PathTree {
  let tree = trees.get(key);
  if (tree === undefined) {
    tree = new PathTree();
    trees.set(key, tree);
  }
  return tree;
}

function normalHost(host: string, route: CompiledRoute, before: string): string {
  const authority = parseAuthority(host);
  if (authority === null)
    throw new LeasewayError('CONFIG_INVALID', `routes[${route.index}].match.hosts: ${host} is not a host`);
  return before + authority.host;
}

/** Puts the route where its path belongs. */
function pathAdder(route: CompiledRoute): (tree: PathTree) => void {
  const path = route.config.match.path;
  const where = `routes[${route.index}].match.path`;
  if (path === undefined) return tree => tree.addAny(route.index);
  if (path.regex !== undefined) {
    const pattern = compilePattern(path.regex, where);
    return tree => tree.addPattern(route.index, pattern);
  }
  const normal = normalConfigPath(path.exact ?? path.prefix!, where);
  return path.exact === undefined
    ? tree => tree.addPrefix(route.index, normal)
    : tree => tree.addExact(route.index, normal);
}

/** A path of the configuration in the normal form of requests; what people write unencoded (`/café`) is encoded. */
function normalConfigPath(path: string, where: string): string {
  const normal = normalisePath(path.replace(/[^\x21-\x7e]+/g, encodeURIComponent));
  if (typeof normal === 'string') throw new LeasewayError('CONFIG_INVALID', `${where}: ${normal}`);
  return normal.path;
}
