// When checks run: the first at once, the rest spread over the interval, never more than a bound at the same time.

import type { Clock } from '../../../core/clock.ts';
import type { Random } from '../../../core/random.ts';
import type { CheckResult } from './check.ts';

export interface CheckPlan<R = CheckResult> {
  readonly intervalMs: number;
  /** False for a backend whose health is known: it joins the others' rhythm. */
  readonly atOnce: boolean;
  /** Never rejects. */
  run(): Promise<R>;
  report(result: R): void;
}

/** Each holds a socket; with a timeout of 1 s, 256 hanging backends still leave the others checked in time. */
const MAX_RUNNING = 256;
/** Of the interval, either way: keeps backends that once fell together from staying together. */
const JITTER = 0.1;

interface Entry {
  readonly plan: CheckPlan<unknown>;
  timer: Disposable | undefined;
  stopped: boolean;
}

export class CheckSchedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxRunning: number;
  /** In order of their time; one place per backend, since the next check is planned when the last has ended. */
  readonly #waiting = new Set<Entry>();
  #running = 0;

  constructor(clock: Clock, random: Random, maxRunning = MAX_RUNNING) {
    this.#clock = clock;
    this.#random = random;
    this.#maxRunning = maxRunning;
  }

  get running(): number {
    return this.#running;
  }

  /** Checks until disposed; a check that runs then still ends, unreported. */
  add<R = CheckResult>(plan: CheckPlan<R>): Disposable {
    const entry: Entry = { plan: plan as CheckPlan<unknown>, timer: undefined, stopped: false };
    if (plan.atOnce) this.#enqueue(entry);
    else this.#plan(entry, plan.intervalMs * this.#random.next());
    return {
      [Symbol.dispose]: () => {
        entry.stopped = true;
        entry.timer?.[Symbol.dispose]();
        this.#waiting.delete(entry);
      },
    };
  }

  #plan(entry: Entry, ms: number): void {
    entry.timer = this.#clock.after(ms, () => this.#enqueue(entry));
  }

  #enqueue(entry: Entry): void {
    this.#waiting.add(entry);
    this.#runSome();
  }

  #runSome(): void {
    for (const entry of this.#waiting) {
      if (this.#running >= this.#maxRunning) return;
      this.#waiting.delete(entry);
      this.#running++;
      void this.#check(entry);
    }
  }

  async #check(entry: Entry): Promise<void> {
    const { plan } = entry;
    const beganMs = this.#clock.monotonicMs();
    const result = await plan.run();
    this.#running--;
    if (!entry.stopped) {
      plan.report(result);
      this.#plan(entry, this.#untilNext(plan, entry.timer === undefined, beganMs));
    }
    this.#runSome();
  }

  /** After the first check, which all did at once, each takes a place of its own within the interval. */
  #untilNext({ intervalMs }: CheckPlan<unknown>, first: boolean, beganMs: number): number {
    const chance = this.#random.next();
    const ms = first ? intervalMs * (0.1 + 0.9 * chance) : intervalMs * (1 - JITTER + 2 * JITTER * chance);
    // Counted from the beginning, so that a slow backend is not checked less often; but never without a pause.
    return Math.max(intervalMs * 0.1, ms - (this.#clock.monotonicMs() - beganMs));
  }
}
