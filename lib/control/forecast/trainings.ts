// Whose network is trained next: one at a time, in a thread that may die, hang or fail without anyone missing it.

import type { TrainingConfig } from '../../config/forecast.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { below, type Random } from '../../core/random.ts';
import type { TrainingJob, TrainingResult } from '../../orders/training.ts';
import type { OutlookPast } from '../../plan/forecast/outlook.ts';
import type { startTrainer, Trainer } from './trainer-thread.ts';

/** A training takes about a second of CPU; whoever has had so much of it and is not done hangs. */
const MOST_CPU_MS = 20_000;
const LEAST_DEADLINE_MS = 60_000;
/** After a failure nobody is trained for so long, twice as long after each that follows. */
const FIRST_DELAY_MS = 5_000;
const LONGEST_DELAY_MS = 3_600_000;

/** One whose network may be trained. */
export interface Pupil {
  readonly cluster: string;
  readonly dueForTraining: boolean;
  past(): OutlookPast;
  /** False when it is no network. */
  adopt(network: unknown, minute: number): boolean;
}

export interface TrainingHands {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly start: typeof startTrainer;
}

export interface TrainingReport {
  readonly state: 'off' | 'idle' | 'training' | 'waiting';
  /** Cluster whose network is being trained. */
  readonly cluster: string | null;
  readonly done: number;
  readonly failed: number;
  /** Of CPU, over all that are done. */
  readonly cpuMs: number;
  /** Why the last one failed; null when it did not. */
  readonly failure: string | null;
}

interface Running {
  readonly pupil: Pupil;
  readonly trainer: Trainer;
  readonly deadlineMs: number;
  result: TrainingResult | null;
}

export class Trainings implements Disposable {
  readonly #hands: TrainingHands;
  #config: TrainingConfig = 'off';
  #running: Running | null = null;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #delayMs = FIRST_DELAY_MS;
  #done = 0;
  #failed = 0;
  #cpuMs = 0;
  #failure: string | null = null;

  constructor(hands: TrainingHands) {
    this.#hands = hands;
  }

  configure(config: TrainingConfig): void {
    this.#config = config;
    if (config === 'off') this[Symbol.dispose]();
  }

  /** Once a tick. */
  tick(pupils: Iterable<Pupil>): void {
    const nowMs = this.#hands.clock.monotonicMs();
    if (this.#running !== null) {
      if (nowMs < this.#running.deadlineMs) return;
      return this.#over(this.#running, 'it took too long');
    }
    if (this.#config === 'off' || nowMs < this.#notBeforeMs) return;
    for (const pupil of pupils) if (pupil.dueForTraining) return this.#begin(pupil, this.#config.cpu, nowMs);
  }

  report(): TrainingReport {
    const [done, failed, cpuMs, failure] = [this.#done, this.#failed, this.#cpuMs, this.#failure];
    return {
      state: this.#state,
      cluster: this.#running?.pupil.cluster ?? null,
      done,
      failed,
      cpuMs,
      failure,
    };
  }

  /** What runs is given up; nobody misses it. */
  [Symbol.dispose](): void {
    this.#running?.trainer.terminate();
    this.#running = null;
  }

  get #state(): TrainingReport['state'] {
    if (this.#config === 'off') return 'off';
    if (this.#running !== null) return 'training';
    return this.#hands.clock.monotonicMs() < this.#notBeforeMs ? 'waiting' : 'idle';
  }

  #begin(pupil: Pupil, cpu: number, nowMs: number): void {
    const { random, start } = this.#hands;
    const job: TrainingJob = { ...pupil.past(), seed: below(random, 2 ** 32), cpu };
    const deadlineMs = nowMs + Math.max(LEAST_DEADLINE_MS, MOST_CPU_MS / cpu);
    const running: Running = {
      ...{ pupil, deadlineMs, result: null },
      trainer: start(job, {
        trained: result => {
          running.result = result;
        },
        ended: reason => this.#over(running, reason),
      }),
    };
    this.#running = running;
  }

  #over(running: Running, reason: string): void {
    if (this.#running !== running) return;
    running.trainer.terminate();
    this.#running = null;
    const { pupil, result } = running;
    if (result === null) return this.#fail(pupil, reason);
    if (!pupil.adopt(result.network, result.minute))
      return this.#fail(pupil, 'what came of it is no network');
    const { rows, cpuMs } = result;
    this.#done += 1;
    this.#cpuMs += cpuMs;
    this.#failure = null;
    this.#delayMs = FIRST_DELAY_MS;
    this.#hands.log.info(`cluster ${pupil.cluster}: a network was trained on ${rows} minutes`, {
      ...{ cluster: pupil.cluster, rows },
      cpuMs: Math.round(cpuMs),
    });
  }

  #fail({ cluster }: Pupil, reason: string): void {
    const { clock, log } = this.#hands;
    this.#failed += 1;
    this.#failure = reason;
    log.warn(`cluster ${cluster}: training its network failed; forecasts go on without, it is tried again`, {
      ...{ cluster, reason },
      inMs: this.#delayMs,
    });
    this.#notBeforeMs = clock.monotonicMs() + this.#delayMs;
    this.#delayMs = Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
  }
}
