// What a client has still to hear: bounded, since a stream that nobody reads must not grow. Of one kind only the latest matters.

import type { WatchEnd, Watcher } from '../data/leases/ports.ts';
import type { LeaseNews } from '../orders/leases.ts';

/** Migrations of several connections that one session has. */
const MAX_MIGRATIONS = 16;

export class NewsQueue implements Watcher {
  readonly #migrations: LeaseNews[] = [];
  readonly #latest = new Map<LeaseNews['kind'], LeaseNews>();
  #end: WatchEnd | null = null;
  #wake: () => void = () => {};
  /** One for all waits: a signal that lives long keeps it once. */
  readonly #aborted = (): void => this.#wake();

  heard(news: LeaseNews): void {
    if (news.kind !== 'migration') this.#latest.set(news.kind, news);
    else if (this.#migrations.length < MAX_MIGRATIONS) this.#migrations.push(news);
    else this.#end ??= 'slow';
    this.#wake();
  }

  over(why: WatchEnd): void {
    this.#end ??= why;
    this.#wake();
  }

  /** The next that is to be told, or why there is none; null when `signal` aborts. */
  async next(signal: AbortSignal): Promise<LeaseNews | WatchEnd | null> {
    for (;;) {
      if (signal.aborted) return null;
      const news = this.#migrations.shift() ?? this.#takeLatest();
      if (news !== null) return news;
      if (this.#end !== null) return this.#end;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
        signal.addEventListener('abort', this.#aborted);
      });
    }
  }

  #takeLatest(): LeaseNews | null {
    for (const [kind, news] of this.#latest) {
      this.#latest.delete(kind);
      return news;
    }
    return null;
  }
}
