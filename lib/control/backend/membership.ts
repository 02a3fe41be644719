// Who belongs to a cluster when several sources speak of it: each source owns its list, and a collision has one winner.

import type { NamedBackend } from './identity.ts';
import type { BackendStatus } from './ports.ts';

export type SourceKind = BackendStatus['source'];

/** The first that names an id has it: what stands in a file was written on purpose. */
const SOURCE_KINDS: readonly SourceKind[] = ['static', 'file', 'dns', 'api'];

export interface Member {
  readonly source: SourceKind;
  readonly backend: NamedBackend;
}

export class Membership {
  readonly #lists: Readonly<Record<SourceKind, Map<string, NamedBackend>>> = {
    static: new Map(),
    file: new Map(),
    dns: new Map(),
    api: new Map(),
  };

  set(source: SourceKind, backend: NamedBackend): void {
    this.#lists[source].set(backend.id, backend);
  }

  delete(source: SourceKind, id: string): void {
    this.#lists[source].delete(id);
  }

  listOf(source: SourceKind): readonly NamedBackend[] {
    return [...this.#lists[source].values()];
  }

  /** The winner, or undefined when no source names it. */
  of(id: string): Member | undefined {
    for (const source of SOURCE_KINDS) {
      const backend = this.#lists[source].get(id);
      if (backend !== undefined) return { source, backend };
    }
    return undefined;
  }
}
