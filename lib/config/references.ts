// What refers to what: clusters that routes name, names and addresses that may stand only once.

import { backendId } from './cluster.ts';
import { quoted } from './describe.ts';
import type { Draft } from './draft.ts';
import { didYouMean, nearest } from './near.ts';
import { error, type Finding, type Path, warning } from './problem.ts';
import { routeName } from './proxy.ts';

export interface Surroundings {
  /** Cluster files that lie beside a single file and were therefore not read. */
  readonly besides: ReadonlyMap<string, string>;
}

export function checkReferences(draft: Draft, surroundings: Surroundings): Finding[] {
  return [
    ...clustersOfRoutes(draft, surroundings),
    ...unusedClusters(draft),
    ...routeNames(draft),
    ...backendIds(draft),
    ...tooManyBackends(draft),
  ];
}

/** Every place that names a cluster. */
function* namedClusters(draft: Draft): Generator<{ name: string; path: Path }> {
  for (const [i, route] of draft.routes.entries()) {
    // Read as written, so that a route with another mistake is not passed over.
    const name = draft.written(['routes', i, 'cluster']);
    if (typeof name === 'string') yield { name, path: ['routes', i, 'cluster'] };
    for (const [j, part] of (route?.split ?? []).entries())
      yield { name: part.cluster, path: ['routes', i, 'split', j, 'cluster'] };
  }
}

function* clustersOfRoutes(draft: Draft, { besides }: Surroundings): Generator<Finding> {
  const names = [...draft.clusters.keys()];
  for (const { name, path } of namedClusters(draft)) {
    if (draft.clusters.has(name)) continue;
    const beside = besides.get(name);
    const near = didYouMean(name, names);
    const known = names.length > 0 ? `one of ${names.slice(0, 12).join(', ')}` : 'a cluster that is defined';
    const hint =
      beside !== undefined
        ? `${beside} is read when the folder is given instead of the file`
        : near ||
          (names.length === 0 ? `write clusters/${name}.yaml, or clusters: { ${name}: … } in this file` : '');
    yield error(path, { what: `no cluster ${quoted(name)}`, expected: near === '' ? known : '', hint });
  }
}

function* unusedClusters(draft: Draft): Generator<Finding> {
  // A route that could not be read may be the one that uses it.
  if (draft.routes.length === 0 || draft.routes.includes(undefined)) return;
  const names = [...draft.clusters.keys()];
  // A misspelt name is told where it stands; the cluster that was meant is not unused.
  const used = new Set(
    [...namedClusters(draft)].map(({ name }) => (draft.clusters.has(name) ? name : nearest(name, names))),
  );
  for (const name of names)
    if (!used.has(name))
      yield warning(['clusters', name], {
        atKey: true,
        what: `no route uses cluster ${quoted(name)}`,
        expected: 'a route with it, or no such cluster',
      });
}

function* routeNames(draft: Draft): Generator<Finding> {
  const first = new Map<string, number>();
  for (const [i, route] of draft.routes.entries()) {
    if (route === undefined) continue;
    const name = routeName(route, i);
    const other = first.get(name);
    if (other === undefined) first.set(name, i);
    else
      yield error(['routes', i, 'name'], {
        what: `routes[${other}] has the name ${quoted(name)} already`,
        expected: 'a name of its own',
      });
  }
}

function* backendIds(draft: Draft): Generator<Finding> {
  for (const [name, cluster] of draft.clusters) {
    const ids = new Map<string, number>();
    const urls = new Map<string, number>();
    for (const [i, backend] of (cluster?.backends ?? []).entries()) {
      const path = ['clusters', name, 'backends', i];
      const id = backendId(backend);
      const sameId = ids.get(id);
      const sameUrl = urls.get(new URL(backend.url).href);
      if (sameId !== undefined)
        yield error(backend.id === undefined ? path : [...path, 'id'], {
          what: `backends[${sameId}] has the id ${quoted(id)} already`,
          expected:
            backend.id === undefined
              ? 'each URL once; to give it more work raise its weight'
              : 'an id of its own',
        });
      else if (sameUrl !== undefined)
        yield warning([...path, 'url'], {
          what: `backends[${sameUrl}] has the same URL`,
          expected: 'each URL once; to give it more work raise its weight',
        });
      if (sameId === undefined) ids.set(id, i);
      if (sameUrl === undefined) urls.set(new URL(backend.url).href, i);
    }
  }
}

function* tooManyBackends(draft: Draft): Generator<Finding> {
  const most = draft.settings.max_backends;
  let total = 0;
  for (const cluster of draft.clusters.values()) total += cluster?.backends.length ?? 0;
  if (most !== undefined && total > most)
    yield error(['max_backends'], {
      expected: `at least ${total}, the backends listed`,
      found: String(most),
    });
}
