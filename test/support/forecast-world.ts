// A cluster in virtual time for forecasts: work is shared evenly among the backends that are open, as a good picker would.

import { Cluster } from '../../lib/config/cluster.ts';
import type { Announced } from '../../lib/control/forecast/announcements.ts';
import { ClusterForecast, type Outlook } from '../../lib/control/forecast/cluster-forecast.ts';
import type { Remembered } from '../../lib/control/forecast/memory.ts';
import type { BackendForecastReport } from '../../lib/control/forecast/ports.ts';
import { Room } from '../../lib/control/forecast/room.ts';
import { seededRandom } from '../../lib/core/random.ts';
import type { Counts } from '../../lib/plan/load/observed.ts';
import { type BackendSignals, NO_SIGNALS } from '../../lib/plan/load/signals.ts';

const TICK_MS = 250;

export interface WorldBackend {
  readonly id: string;
  working: boolean;
  /** In flight for each unit of work, 1 in ordinary times: a job that slows it makes it more. */
  slowness: number;
  serviceMs: number;
  errorShare: number;
  /** While it answers nothing. */
  silentMs: number;
  connections: number;
  signals: BackendSignals;
  slotGeneration: number;
}

interface Held extends WorldBackend {
  counts: { -readonly [K in keyof Counts]: Counts[K] };
  inFlight: number;
}

const noCounts = (): Held['counts'] => ({
  attempts: 0,
  successes: 0,
  serverErrors: 0,
  failures: 0,
  cancelled: 0,
  latencySumMs: 0,
  bytesIn: 0,
  bytesOut: 0,
});

export class ForecastWorld {
  readonly backends: Held[];
  readonly forecast: ClusterForecast;
  readonly room = new Room(64, () => {});
  nowMs = 10_000;
  wallMs = Date.parse('2026-11-20T12:00:00Z');
  /** Requests in flight over the whole cluster, on average. */
  work = 9;
  /** Instead of work a stream of requests: so many come each tick, and wait where places are taken. */
  arrivals = 0;
  panic = false;
  /** Requests at once, configured, of each. */
  concurrency: number | undefined = 10;
  /** Connections at once, configured, of each; then requests have no configured bound. */
  places: number | undefined;
  outlooks: ReadonlyMap<number, Outlook> = new Map();
  readonly #random = seededRandom(7);

  constructor(
    config: Record<string, unknown> = {},
    ids: readonly string[] = ['a', 'b', 'c'],
    remembered?: Remembered,
  ) {
    this.backends = ids.map(id => ({
      ...{
        id,
        working: true,
        slowness: 1,
        serviceMs: 20,
        errorShare: 0,
        silentMs: 0,
        connections: 0,
        signals: NO_SIGNALS,
        slotGeneration: 1,
      },
      ...{ counts: noCounts(), inFlight: 0 },
    }));
    this.forecast = new ClusterForecast('web', Cluster.parse(config), {
      maxBackends: 64,
      proxy: 'here',
      signals: { of: (_, id) => this.at(id).signals },
      room: this.room,
      remembered: remembered ?? { recall: () => undefined },
    });
  }

  configure(config: Record<string, unknown>): void {
    this.forecast.configure(Cluster.parse(config));
  }

  at(id: string): Held {
    return this.backends.find(backend => backend.id === id)!;
  }

  announce(event: Partial<Announced> & { readonly inMs: number; readonly forMs: number }): void {
    const { inMs, forMs, ...rest } = event;
    const startMs = this.wallMs + inMs;
    this.forecast.announce([
      {
        ...{
          id: 'job-1',
          cluster: 'web',
          name: 'job',
          backends: null,
          factor: 4,
          startMs,
          endMs: startMs + forMs,
        },
        ...rest,
      },
    ]);
  }

  gateOf(id: string): number {
    return this.outlooks.get(this.backends.indexOf(this.at(id)))?.gate ?? 0;
  }

  /** 1 outside the pool. */
  outsideOf(id: string): number {
    return this.outlooks.get(this.backends.indexOf(this.at(id)))?.outside ?? 0;
  }

  predictedOf(id: string): number {
    return (this.outlooks.get(this.backends.indexOf(this.at(id)))?.milliPredicted ?? -1000) / 1000;
  }

  report(id: string): BackendForecastReport {
    return this.forecast.report(this.wallMs).backends.find(backend => backend.id === id)!;
  }

  /** `each` hears of every tick. */
  pass(ms: number, each: () => void = () => {}): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.nowMs += TICK_MS;
      this.wallMs += TICK_MS;
      this.#serve();
      this.#tick();
      each();
    }
  }

  #tick(): void {
    const subjects = this.backends.map((backend, slot) => ({
      ...{ id: backend.id, slot, slotGeneration: backend.slotGeneration },
      capacity: this.#capacity(),
      working: backend.working,
      inFlight: backend.inFlight,
      connections: backend.connections,
      counts: { ...backend.counts },
      silentMs: backend.silentMs,
    }));
    this.outlooks = this.forecast.tick(subjects, this.nowMs, this.wallMs, this.panic);
  }

  #capacity(): { readonly connections?: number; readonly concurrency?: number } {
    if (this.places !== undefined) return { connections: this.places };
    return this.concurrency === undefined ? {} : { concurrency: this.concurrency };
  }

  #serve(): void {
    const able = this.backends.filter(backend => backend.working);
    const levelOf = (id: string): number => 2 * this.gateOf(id) + this.outsideOf(id);
    const least = Math.min(...able.map(({ id }) => levelOf(id)));
    const open = able.filter(({ id }) => levelOf(id) === least);
    if (this.arrivals > 0) return this.#queue(open);
    for (const backend of this.backends) {
      const mean = open.includes(backend) ? (this.work / open.length) * backend.slowness : 0;
      backend.inFlight = Math.max(0, Math.round(mean + (mean > 0 ? 2 * this.#random.next() - 1 : 0)));
      const latencyMs = backend.serviceMs * backend.slowness;
      const answers = Math.round((mean * TICK_MS) / latencyMs);
      const failed = Math.round(answers * backend.errorShare);
      backend.counts.attempts += answers;
      backend.counts.successes += answers - failed;
      backend.counts.serverErrors += failed;
      backend.counts.latencySumMs += answers * latencyMs;
      backend.counts.bytesOut += answers * 100;
    }
  }

  /** Each request to the shortest queue, of four places. */
  #queue(open: readonly Held[]): void {
    const places = 4;
    for (let i = 0; i < this.arrivals; i++) {
      const shortest = open.reduce((best, one) => (one.inFlight < best.inFlight ? one : best));
      shortest.inFlight += 1;
      shortest.counts.attempts += 1;
    }
    for (const backend of this.backends) {
      const serviceMs = backend.serviceMs * backend.slowness;
      const answers = Math.min(backend.inFlight, Math.round((places * TICK_MS) / serviceMs));
      backend.counts.successes += answers;
      backend.counts.latencySumMs += answers * serviceMs * Math.max(1, backend.inFlight / places);
      backend.inFlight -= answers;
    }
  }
}
