// Slots on the scoreboard: one for each backend, kept while it is here, given away only when nothing is in flight there.

/** A place on the scoreboard. `owner` is cluster, id and URL: another URL is another backend. */
export interface Slot {
  readonly owner: string;
  readonly index: number;
  /** Rises with each new owner, over all slots; a worker that still means the old owner sees the mismatch. */
  readonly generation: number;
}

export interface HeldSlot extends Slot {
  /** The backend is gone and its tunnels are being ended; false also for one that a restarted control thread awaits. */
  readonly retired: boolean;
}

/** A retired slot rests this long even when idle: a worker may hold a snapshot that still names the old backend. */
const QUARANTINE_MS = 2_000;

interface Held extends HeldSlot {
  readonly claimed: boolean;
  readonly sinceMs: number;
}

export class SlotTable {
  readonly #size: number;
  readonly #idle: (slot: number) => boolean;
  readonly #byOwner = new Map<string, Held>();
  readonly #taken = new Set<number>();
  #lastGeneration: number;
  /** Goes round, so that the slot freed longest ago is taken first. */
  #cursor = 0;

  /** `held` is what a control thread of this same process wrote before it died: the board still shows its backends. */
  constructor(
    size: number,
    idle: (slot: number) => boolean,
    lastGeneration: number,
    held: readonly HeldSlot[],
    nowMs: number,
  ) {
    this.#size = size;
    this.#idle = idle;
    this.#lastGeneration = lastGeneration;
    for (const slot of held) {
      if (slot.index >= size || this.#taken.has(slot.index) || this.#byOwner.has(slot.owner)) continue;
      this.#taken.add(slot.index);
      this.#byOwner.set(slot.owner, { ...slot, claimed: false, sinceMs: nowMs });
      this.#lastGeneration = Math.max(this.#lastGeneration, slot.generation);
    }
  }

  get lastGeneration(): number {
    return this.#lastGeneration;
  }

  held(): readonly HeldSlot[] {
    return [...this.#byOwner.values()].map(({ owner, index, generation, retired }) => ({
      owner,
      index,
      generation,
      retired,
    }));
  }

  /** The owner's slot, the one it had if that was not given away; undefined when none is free. */
  take(owner: string, nowMs: number): Slot | undefined {
    const had = this.#byOwner.get(owner);
    if (had !== undefined) {
      const slot = { ...had, claimed: true, retired: false, sinceMs: nowMs };
      this.#byOwner.set(owner, slot);
      return slot;
    }
    for (let step = 0; step < this.#size; step++) {
      const index = (this.#cursor + step) % this.#size;
      if (this.#taken.has(index) || !this.#idle(index)) continue;
      this.#cursor = (index + 1) % this.#size;
      const slot = {
        owner,
        index,
        generation: ++this.#lastGeneration,
        retired: false,
        claimed: true,
        sinceMs: nowMs,
      };
      this.#taken.add(index);
      this.#byOwner.set(owner, slot);
      return slot;
    }
    return undefined;
  }

  /** The backend is gone; the slot is free once nothing is in flight there. */
  retire(owner: string, nowMs: number): void {
    const slot = this.#byOwner.get(owner);
    if (slot !== undefined)
      this.#byOwner.set(owner, { ...slot, claimed: false, retired: true, sinceMs: nowMs });
  }

  /** Frees what is idle and rested; true when something was. */
  sweep(nowMs: number): boolean {
    let freed = false;
    for (const [owner, slot] of this.#byOwner) {
      if (slot.claimed || nowMs - slot.sinceMs < QUARANTINE_MS || !this.#idle(slot.index)) continue;
      this.#byOwner.delete(owner);
      this.#taken.delete(slot.index);
      freed = true;
    }
    return freed;
  }
}
