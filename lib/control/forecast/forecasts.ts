// The forecasts of all clusters: their events, their memory, and the questions that operators ask of them.

import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ClusterConfig } from '../../config/cluster.ts';
import type { TrainingConfig } from '../../config/forecast.ts';
import type { Clock } from '../../core/clock.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { SignalView } from '../../plan/load/signals.ts';
import { Announcements } from './announcements.ts';
import { ClusterForecast } from './cluster-forecast.ts';
import { ForecastMemory, type Learned } from './memory.ts';
import { Outlooks } from './outlooks.ts';
import type { Announcement, ClusterForecastReport, EventReport, ForecastDesk } from './ports.ts';
import { Room } from './room.ts';
import type { TrainingReport } from './trainings.ts';

/** Backends with models, over all clusters. */
const MOST_MODELLED = 2_048;

export interface ForecastHands {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly maxBackends: number;
  /** What backends report; null where nothing asks them. */
  readonly signals: SignalView | null;
}

export class Forecasts implements ForecastDesk, AsyncDisposable {
  readonly #hands: ForecastHands;
  readonly #announcements: Announcements;
  readonly #memory: ForecastMemory;
  readonly #outlooks: Outlooks;
  readonly #room: Room;
  readonly #clusters = new Map<string, ClusterForecast>();

  constructor(hands: ForecastHands) {
    this.#hands = hands;
    const { stateDir, clock, random, log } = hands;
    this.#announcements = new Announcements(join(stateDir, 'events.json'), log);
    this.#memory = new ForecastMemory(join(stateDir, 'forecasts.jsonl'), clock, log);
    this.#room = new Room(MOST_MODELLED, () =>
      log.warn(`more than ${MOST_MODELLED} backends: nothing is foreseen of those that came last`),
    );
    this.#outlooks = new Outlooks({ clock, random, log, remembered: this.#memory });
  }

  configure(training: TrainingConfig): void {
    this.#outlooks.configure(training);
  }

  open(cluster: string, config: ClusterConfig): ClusterForecast {
    const { maxBackends, signals } = this.#hands;
    const forecast = new ClusterForecast(cluster, config, {
      maxBackends,
      signals,
      remembered: this.#memory,
      room: this.#room,
      proxy: `${hostname()}:${this.#hands.stateDir}`,
    });
    forecast.announce(this.#announcements.of(cluster));
    this.#clusters.set(cluster, forecast);
    return forecast;
  }

  close(cluster: string): void {
    this.#clusters.get(cluster)?.forgetAll();
    this.#clusters.delete(cluster);
    this.#outlooks.forget(cluster);
  }

  /** Once a tick, after the clusters'. */
  tick(): void {
    this.#outlooks.tick(this.#clusters);
    this.#memory.tick(() => this.#learned());
  }

  /** Of one cluster, or of all. Throws NOT_FOUND. */
  report(cluster?: string): readonly ClusterForecastReport[] {
    const wallMs = this.#hands.clock.wallMs();
    const asked = cluster === undefined ? this.#clusters : [[cluster, this.#of(cluster)] as const];
    return [...asked].map(([name, forecast]) => ({
      ...forecast.report(wallMs),
      outlook: this.#outlooks.report(name, forecast),
    }));
  }

  training(): TrainingReport {
    return this.#outlooks.training();
  }

  events(): readonly EventReport[] {
    const wallMs = this.#hands.clock.wallMs();
    return [...this.#clusters.values()].flatMap(forecast => forecast.events(wallMs));
  }

  /** Throws NOT_FOUND for an unknown cluster, CONFLICT when there are too many, INTERNAL when it cannot be written. */
  announce(event: Announcement): EventReport {
    const forecast = this.#of(event.cluster);
    const { random, clock, log } = this.#hands;
    const id = `${event.name}-${random.next().toString(36).slice(2, 8).padEnd(6, '0')}`;
    const announced = this.#announcements.add(event, id, clock.wallMs());
    forecast.announce(this.#announcements.of(event.cluster));
    log.info(
      `cluster ${event.cluster}: ${event.name} is announced: ${event.factor} × the load from ${isoOf(event.startMs)} to ${isoOf(event.endMs)}`,
      { cluster: event.cluster, event: id },
    );
    return { ...announced, source: 'announced' };
  }

  cancel(id: string): void {
    const found = this.#announcements.all.find(event => event.id === id);
    this.#announcements.cancel(id);
    this.#hands.log.info(`event ${id} is cancelled`, { event: id });
    if (found !== undefined)
      this.#clusters.get(found.cluster)?.announce(this.#announcements.of(found.cluster));
  }

  /** A successor decides and writes from now on. */
  standDown(): void {
    this.#outlooks[Symbol.dispose]();
    this.#memory.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#outlooks[Symbol.dispose]();
    await this.#memory.close(() => this.#learned());
  }

  #of(cluster: string): ClusterForecast {
    const found = this.#clusters.get(cluster);
    if (found !== undefined) return found;
    const names = [...this.#clusters.keys()].slice(0, 10).join(', ') || 'none';
    throw new LeasewayError('NOT_FOUND', `cluster ${cluster}; the clusters are: ${names}`);
  }

  *#learned(): Generator<Learned> {
    for (const [cluster, forecast] of this.#clusters)
      for (const [id, read] of forecast.learned()) yield { cluster, id, read };
    yield* this.#outlooks.learned();
  }
}

const isoOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19);
