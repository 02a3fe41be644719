// The difference between two lists of backends, as a discovery reports it.

import type { NamedBackend } from '../identity.ts';
import type { BackendChange } from '../ports.ts';

/** From `before` to `after`; removals come last, so that a replaced list never leaves a moment with nothing. */
export function changesBetween(
  before: readonly NamedBackend[],
  after: readonly NamedBackend[],
): readonly BackendChange[] {
  const known = new Map(before.map(backend => [backend.id, backend]));
  const changes: BackendChange[] = [];
  const seen = new Set<string>();
  for (const backend of after) {
    // A list that names one twice means its first.
    if (seen.has(backend.id)) continue;
    seen.add(backend.id);
    const old = known.get(backend.id);
    if (old === undefined) changes.push({ kind: 'insert', backend });
    else if (!same(old, backend)) changes.push({ kind: 'update', backend });
  }
  for (const id of known.keys()) if (!seen.has(id)) changes.push({ kind: 'remove', id });
  return changes;
}

const same = (a: NamedBackend, b: NamedBackend): boolean =>
  a.url === b.url && a.weight === b.weight && JSON.stringify(a.capacity) === JSON.stringify(b.capacity);
