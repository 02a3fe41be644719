// The outlooks of all clusters: who has one, what feeds it, what it remembers, and the training of its network.

import type { TrainingConfig } from '../../config/forecast.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { ClusterOutlook } from './cluster-outlook.ts';
import { LATER, type Learned, type Remembered } from './memory.ts';
import type { OutlookReport } from './ports.ts';
import { startTrainer } from './trainer-thread.ts';
import { type TrainingReport, Trainings } from './trainings.ts';

/** Clusters that have one, the first that asked; a third of a megabyte each. */
const MOST_OUTLOOKS = 64;
/** In the memory of forecasts: the line of a cluster itself belongs to no backend. */
export const CLUSTER_ITSELF = '';

export interface OutlookHands {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly remembered: Remembered;
  /** Left out: the real thread. */
  readonly startTrainer?: typeof startTrainer;
}

/** A cluster as its outlook sees it. */
export interface Observed {
  readonly wantsOutlook: boolean;
  /** Work for so many backends, without that of events, and how many bear it. */
  demand(): { readonly demand: number; readonly working: number };
  /** What events make of the load at that moment, on average over the backends. */
  factorAt(wallMs: number): number;
}

export class Outlooks implements Disposable {
  readonly #hands: OutlookHands;
  readonly #kept = new Map<string, ClusterOutlook>();
  readonly #trainings: Trainings;
  #tooMany = false;

  constructor(hands: OutlookHands) {
    this.#hands = hands;
    this.#trainings = new Trainings({ ...hands, start: hands.startTrainer ?? startTrainer });
  }

  configure(training: TrainingConfig): void {
    this.#trainings.configure(training);
  }

  /** Once a tick, with all clusters. */
  tick(clusters: ReadonlyMap<string, Observed>): void {
    const wallMs = this.#hands.clock.wallMs();
    // One a tick: what it remembers takes milliseconds to take up.
    let beginner: string | null = null;
    for (const [cluster, observed] of clusters) {
      if (!observed.wantsOutlook) {
        this.#kept.delete(cluster);
        continue;
      }
      const outlook = this.#kept.get(cluster);
      if (outlook === undefined) {
        beginner ??= cluster;
        continue;
      }
      const { demand, working } = observed.demand();
      outlook.observe(demand, working, wallMs);
    }
    if (beginner !== null) this.#begin(beginner);
    this.#trainings.tick(this.#kept.values());
  }

  forget(cluster: string): void {
    this.#kept.delete(cluster);
  }

  /** Null where there is none, or nothing was seen yet. */
  report(cluster: string, observed: Observed): OutlookReport | null {
    const outlook = this.#kept.get(cluster);
    return outlook?.report(this.#hands.clock.wallMs(), wallMs => observed.factorAt(wallMs)) ?? null;
  }

  training(): TrainingReport {
    return this.#trainings.report();
  }

  /** For the memory of forecasts. */
  *learned(): Generator<Learned> {
    for (const [cluster, outlook] of this.#kept)
      yield { cluster, id: CLUSTER_ITSELF, read: () => outlook.save() };
  }

  [Symbol.dispose](): void {
    this.#trainings.configure('off');
  }

  #begin(cluster: string): void {
    const { remembered, log } = this.#hands;
    if (this.#kept.size >= MOST_OUTLOOKS) {
      if (!this.#tooMany)
        log.warn(`more than ${MOST_OUTLOOKS} clusters: ${cluster} and those after it have no outlook`, {
          cluster,
        });
      this.#tooMany = true;
      return;
    }
    const known = remembered.recall(cluster, CLUSTER_ITSELF);
    if (known === LATER) return;
    const outlook = new ClusterOutlook(cluster);
    outlook.restore(known);
    this.#kept.set(cluster, outlook);
  }
}
