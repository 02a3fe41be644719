// Places for models: each is a tenth of a megabyte and some of every tick, so there are only so many, over all clusters.

export class Room {
  readonly #places: number;
  readonly #full: () => void;
  #taken = 0;
  #said = false;

  /** `full` hears of it once, until there is room again. */
  constructor(places: number, full: () => void) {
    this.#places = places;
    this.#full = full;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False when there is none. */
  take(): boolean {
    if (this.#taken < this.#places) {
      this.#taken += 1;
      return true;
    }
    if (!this.#said) this.#full();
    this.#said = true;
    return false;
  }

  give(places = 1): void {
    this.#taken -= places;
    if (places > 0) this.#said = false;
  }
}
