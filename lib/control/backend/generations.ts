// Durable generations: the epoch that session leases carry for each backend. It never falls, whatever is forgotten.

/** Why a generation rose last; kept beside it, so that an operator sees why sessions moved. */
export type RaiseReason = 'drain' | 'failover' | 'maintenance' | 'removed' | 'replaced';

export interface GenerationEntry {
  readonly cluster: string;
  readonly id: string;
  readonly generation: number;
  readonly reason: RaiseReason | 'first';
  /** When it went away, Unix ms; null while it is here. */
  readonly goneAtMs: number | null;
}

/** Departed backends whose generation is remembered one by one. */
const MAX_DEPARTED = 4096;

export class Generations {
  /** No backend begins at or below this: it stands in for all that was forgotten. */
  #floor = 0;
  readonly #present = new Map<string, GenerationEntry>();
  /** In the order of departure. A backend that returns must not accept leases that were moved away from it. */
  readonly #departed = new Map<string, GenerationEntry>();

  constructor(floor: number, entries: readonly GenerationEntry[]) {
    this.#floor = floor;
    this.absorb(floor, entries);
  }

  get floor(): number {
    return this.#floor;
  }

  entries(): readonly GenerationEntry[] {
    return [...this.#present.values(), ...this.#departed.values()];
  }

  of(cluster: string, id: string): number {
    return this.#known(key(cluster, id))?.generation ?? this.#floor;
  }

  /** A backend is here (again); its generation is what it was, or one above the floor. */
  open(cluster: string, id: string): number {
    const at = key(cluster, id);
    const known = this.#known(at);
    this.#departed.delete(at);
    const entry: GenerationEntry =
      known === undefined
        ? { cluster, id, generation: this.#floor + 1, reason: 'first', goneAtMs: null }
        : { ...known, goneAtMs: null };
    this.#present.set(at, entry);
    return entry.generation;
  }

  /** Ends all leases of the backend: the new generation. */
  raise(cluster: string, id: string, reason: RaiseReason): number {
    const at = key(cluster, id);
    const generation = this.of(cluster, id) + 1;
    this.#departed.delete(at);
    this.#present.set(at, { cluster, id, generation, reason, goneAtMs: null });
    return generation;
  }

  /** The backend went away: its leases end, and its generation is remembered for its return. */
  leave(cluster: string, id: string, wallMs: number): void {
    const at = key(cluster, id);
    const generation = this.of(cluster, id) + 1;
    this.#present.delete(at);
    // To the end of the order, should it be there.
    this.#departed.delete(at);
    this.#departed.set(at, { cluster, id, generation, reason: 'removed', goneAtMs: wallMs });
    this.#forgetOldest();
  }

  /** Takes over what is higher elsewhere: in a file that another process wrote. */
  absorb(floor: number, entries: readonly GenerationEntry[]): void {
    this.#floor = Math.max(this.#floor, floor);
    for (const entry of entries) {
      const at = key(entry.cluster, entry.id);
      const present = this.#present.get(at);
      if (present !== undefined) {
        if (present.generation < entry.generation) this.#present.set(at, { ...entry, goneAtMs: null });
      } else if ((this.#departed.get(at)?.generation ?? 0) < entry.generation) {
        this.#departed.delete(at);
        this.#departed.set(at, entry);
      }
    }
    this.#forgetOldest();
  }

  #known(at: string): GenerationEntry | undefined {
    return this.#present.get(at) ?? this.#departed.get(at);
  }

  #forgetOldest(): void {
    for (const [at, entry] of this.#departed) {
      if (this.#departed.size <= MAX_DEPARTED) return;
      this.#departed.delete(at);
      this.#floor = Math.max(this.#floor, entry.generation);
    }
  }
}

const key = (cluster: string, id: string): string => `${cluster}/${id}`;
