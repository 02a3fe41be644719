// Who waits for the next change of a store.

/** Watches at a time; each is a loop of this process's own making. */
const MAX_WAITING = 1024;

export class Wakeups {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves at the next `wake`, when `signal` aborts, or when closed. Never rejects. */
  next(signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return Promise.resolve();
    if (this.#waiting.size >= MAX_WAITING) throw new Error(`more than ${MAX_WAITING} watches`);
    return new Promise(resolve => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  close(): void {
    this.#closed = true;
    this.wake();
  }
}
