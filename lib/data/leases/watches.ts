// The streams that this worker's clients watch their leases by: one for each session, each ended when its lease has lapsed.

import { type Clock, every } from '../../core/clock.ts';
import type { LeaseNews, LeaseStream } from '../../orders/leases.ts';
import { LeaseRefusal, type WatchEnd, type Watcher } from './ports.ts';

/** Of one worker; each is a connection or a stream of one, which listeners bound for each client. */
const MAX_WATCHES = 100_000;
const HEARTBEAT_MS = 15_000;
/** When so much of its term is over, a client that did not ask for another is told to. */
const LATE = 0.75;

export class Watches {
  readonly #clock: Clock;
  readonly #changed: (stream: LeaseStream, on: boolean) => void;
  readonly #bySession = new Map<string, Watch>();
  #beat: Disposable | null = null;
  #next = 1;

  /** `changed` hears of each stream that opens or closes. */
  constructor(clock: Clock, changed: (stream: LeaseStream, on: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get streams(): readonly LeaseStream[] {
    return Array.from(this.#bySession.values(), ({ session, number }) => ({ session, number }));
  }

  has(session: string): boolean {
    return this.#bySession.has(session);
  }

  /** `untilMs` is when its lease lapses, Unix ms. A stream that watched before ends. */
  add(session: string, untilMs: number, watcher: Watcher): Disposable {
    if (this.#bySession.size >= MAX_WATCHES) throw new LeaseRefusal('exhausted', 'too many watch here');
    this.#end(session, 'superseded');
    const watch = new Watch(session, this.#next++, watcher, this.#clock);
    this.#bySession.set(session, watch);
    this.#changed({ session, number: watch.number }, true);
    this.#beat ??= every(this.#clock, HEARTBEAT_MS, () => this.#heartbeat());
    this.#untilLapsed(watch, untilMs);
    return {
      [Symbol.dispose]: () => {
        if (this.#bySession.get(session) === watch) this.#drop(watch);
      },
    };
  }

  heard(session: string, news: LeaseNews): void {
    const watch = this.#bySession.get(session);
    if (watch === undefined) return;
    if (news.kind === 'extended') this.#untilLapsed(watch, news.untilMs);
    else if (news.kind !== 'superseded') watch.hear(news);
    else if (news.number === watch.number) this.#end(session, 'superseded');
  }

  endAll(why: WatchEnd): void {
    for (const session of [...this.#bySession.keys()]) this.#end(session, why);
  }

  #end(session: string, why: WatchEnd): void {
    const watch = this.#bySession.get(session);
    if (watch === undefined) return;
    this.#drop(watch);
    watch.watcher.over(why);
  }

  #drop(watch: Watch): void {
    watch.timer?.[Symbol.dispose]();
    this.#bySession.delete(watch.session);
    this.#changed({ session: watch.session, number: watch.number }, false);
    if (this.#bySession.size > 0) return;
    this.#beat?.[Symbol.dispose]();
    this.#beat = null;
  }

  #untilLapsed(watch: Watch, untilMs: number): void {
    watch.timer?.[Symbol.dispose]();
    const leftMs = untilMs - this.#clock.wallMs();
    watch.timer = this.#clock.after(Math.max(0, leftMs * LATE), () => {
      watch.hear({ kind: 'extension', termMs: Math.max(0, Math.round(leftMs)) });
      watch.timer = this.#clock.after(Math.max(0, leftMs * (1 - LATE)), () =>
        this.#end(watch.session, 'lapsed'),
      );
    });
  }

  #heartbeat(): void {
    const sinceMs = this.#clock.monotonicMs() - HEARTBEAT_MS;
    for (const watch of this.#bySession.values())
      if (watch.heardMs <= sinceMs) watch.hear({ kind: 'heartbeat' });
  }
}

class Watch {
  readonly session: string;
  readonly number: number;
  readonly watcher: Watcher;
  readonly #clock: Clock;
  timer: Disposable | null = null;
  heardMs: number;

  constructor(session: string, number: number, watcher: Watcher, clock: Clock) {
    this.session = session;
    this.number = number;
    this.watcher = watcher;
    this.#clock = clock;
    this.heardMs = clock.monotonicMs();
  }

  hear(news: LeaseNews): void {
    this.heardMs = this.#clock.monotonicMs();
    this.watcher.heard(news);
  }
}
