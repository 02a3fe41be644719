// Routes by path: a tree of segments for exact paths and prefixes, a list for the others; the earliest route wins.
//
//            /            prefix [3]
//           api           prefix [0]        /api/v1/users walks three nodes and tries 3, 0 and 2;
//        v1      v2       exact  [2] …      a thousand other routes are never looked at.

import type { Pattern } from './pattern.ts';

interface Node {
  children: Map<string, Node> | null;
  /** Ordered by index, as all lists here. */
  readonly prefixes: number[];
  readonly exact: number[];
}

const emptyNode = (): Node => ({ children: null, prefixes: [], exact: [] });

/** Says whether the route of this index accepts the request in everything but host and path. */
export type Accepts = (index: number) => boolean;

export class PathTree {
  readonly #root = emptyNode();
  /** Routes that say nothing of the path; they match `*` too. */
  readonly #any: number[] = [];
  readonly #patterns: { readonly index: number; readonly pattern: Pattern }[] = [];

  /** Indexes must be added in rising order. */
  addAny(index: number): void {
    this.#any.push(index);
  }

  addPattern(index: number, pattern: Pattern): void {
    this.#patterns.push({ index, pattern });
  }

  addExact(index: number, path: string): void {
    this.#grow(path).exact.push(index);
  }

  /** `/api` covers `/api` and `/api/x`, never `/apix`; a slash at its end changes nothing. */
  addPrefix(index: number, prefix: string): void {
    const bare = withoutSlashAtEnd(prefix);
    (bare === '' ? this.#root : this.#grow(bare)).prefixes.push(index);
  }

  #grow(path: string): Node {
    let node = this.#root;
    for (const segment of path.slice(1).split('/')) {
      node.children ??= new Map();
      let next = node.children.get(segment);
      if (next === undefined) {
        next = emptyNode();
        node.children.set(segment, next);
      }
      node = next;
    }
    return node;
  }

  /** The lowest index under `best` whose route matches path and `accepts`; otherwise `best`. */
  find(path: string, best: number, accepts: Accepts): number {
    let found = first(this.#any, best, accepts);
    if (path.charCodeAt(0) === 0x2f) found = this.#walk(path, found, accepts);
    for (const { index, pattern } of this.#patterns) {
      if (index >= found) break;
      // The cheap conditions first: a pattern costs ten times as much.
      if (accepts(index) && pattern.matches(path)) return index;
    }
    return found;
  }

  #walk(path: string, best: number, accepts: Accepts): number {
    let node = this.#root;
    let found = first(node.prefixes, best, accepts);
    let start = 1;
    while (node.children !== null) {
      const slash = path.indexOf('/', start);
      const next = node.children.get(slash < 0 ? path.slice(start) : path.slice(start, slash));
      if (next === undefined) return found;
      node = next;
      found = first(node.prefixes, found, accepts);
      if (slash < 0) return first(node.exact, found, accepts);
      start = slash + 1;
    }
    return found;
  }
}

export const withoutSlashAtEnd = (prefix: string): string =>
  prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;

function first(indexes: readonly number[], best: number, accepts: Accepts): number {
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i]!;
    if (index >= best) return best;
    if (accepts(index)) return index;
  }
  return best;
}
