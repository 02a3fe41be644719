// What reading pages may take of the control thread, which has decisions to make: above that all are asked less often.

/** Of the thread's time. At 4,096 pages of node_exporter each 5 s it is just not reached. */
const MOST_SHARE = 0.5;
/** A connection of its own, headers, timers: what a page costs before the first line of it is read (test/bench/scrape.ts). */
const ASKING_MS = 0.3;
/** Of the newest page in what one costs. */
const NEWEST = 0.3;

export class ScrapeBudget {
  /** By page, ms of work per ms. */
  readonly #shares = new Map<object, number>();
  #total = 0;

  /** Intervals are to be so many times longer; 1 as long as there is time. */
  get stretch(): number {
    return Math.max(1, this.#total / MOST_SHARE);
  }

  /** A page was read, in so much time of the thread. */
  read(page: object, readingMs: number, intervalMs: number): void {
    const share = (ASKING_MS + readingMs) / intervalMs;
    const before = this.#shares.get(page);
    this.#set(page, before === undefined ? share : before + NEWEST * (share - before));
  }

  forget(page: object): void {
    this.#set(page, 0);
    this.#shares.delete(page);
  }

  #set(page: object, share: number): void {
    this.#total = Math.max(0, this.#total + share - (this.#shares.get(page) ?? 0));
    this.#shares.set(page, share);
  }
}
