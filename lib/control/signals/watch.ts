// Keeps the sources of every backend running as configuration and backends come and go.

import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { BackendEntry, ClusterEntry } from '../../orders/snapshot.ts';
import type { ControlBoard } from '../../scoreboard/ports.ts';
import { CheckSchedule } from '../backend/health/schedule.ts';
import { CheckTls } from '../backend/health/tls.ts';
import { failed, heard, type SignalBoard, type SourceState } from './board.ts';
import { ScrapeBudget } from './scrape-budget.ts';
import { startSources } from './sources.ts';

export interface WatchSettings {
  readonly board: Pick<ControlBoard, 'reports' | 'totals'>;
  readonly signals: SignalBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

type Followed = Omit<ClusterEntry, 'tls'>;

/** Agents and pages are asked by so many at a time, apart from health checks: a faulty signal delays no check. */
const MAX_RUNNING = 256;
/** From here on it is said that pages are asked for less often, and so often. */
const STRETCHED = 1.2;
const SAY_AGAIN_MS = 600_000;

interface Running extends Disposable {
  readonly slot: number;
  readonly slotGeneration: number;
  /** Reports that come with answers: read from the scoreboard. Null where the cluster does not use them. */
  readonly answers: { take(nowMs: number): void } | null;
}

export class SignalWatch implements Disposable {
  readonly #settings: WatchSettings;
  readonly #schedule: CheckSchedule;
  readonly #budget = new ScrapeBudget();
  readonly #running = new Map<string, { readonly entry: BackendEntry; readonly running: Running }>();
  readonly #configs = new Map<string, { readonly config: SourceConfig; readonly tls: CheckTls }>();
  #entries: readonly Followed[] = [];
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(settings: WatchSettings) {
    this.#settings = settings;
    this.#schedule = new CheckSchedule(settings.clock, settings.random, MAX_RUNNING);
  }

  /** What is there from now on. The same array again costs nothing. */
  follow(entries: readonly Followed[]): void {
    if (entries === this.#entries) return;
    this.#entries = entries;
    const stay = new Set<string>();
    for (const { name, config, backends } of entries) {
      if (config.signals.length === 0) continue;
      const { tls, same } = this.#configure(name, config);
      for (const entry of backends) {
        const key = `${name}/${entry.id}`;
        const known = this.#running.get(key);
        stay.add(key);
        if (same && known !== undefined && sameBackend(known.entry, entry)) continue;
        known?.running[Symbol.dispose]();
        this.#running.set(key, { entry, running: this.#start(name, entry, config, tls) });
      }
    }
    for (const [key, { running }] of this.#running) {
      if (stay.has(key)) continue;
      running[Symbol.dispose]();
      this.#running.delete(key);
    }
    for (const name of this.#configs.keys())
      if (!entries.some(entry => entry.name === name && entry.config.signals.length > 0))
        this.#configs.delete(name);
  }

  /** Takes what the workers heard. */
  tick(): void {
    const nowMs = this.#settings.clock.monotonicMs();
    for (const { running } of this.#running.values()) running.answers?.take(nowMs);
    this.#sayStretched(nowMs);
  }

  #sayStretched(nowMs: number): void {
    const { stretch } = this.#budget;
    if (stretch < STRETCHED || nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = nowMs;
    this.#settings.log.warn(
      `metrics pages take more time than there is for them; all are asked for ${stretch.toFixed(1)} times less often than configured (signals.scrape.interval)`,
      { stretch },
    );
  }

  [Symbol.dispose](): void {
    for (const { running } of this.#running.values()) running[Symbol.dispose]();
    this.#running.clear();
  }

  #configure(name: string, config: ClusterConfig): { readonly tls: CheckTls; readonly same: boolean } {
    const { clock, log } = this.#settings;
    const wanted = { signals: config.signals, tls: config.tls, protocol: config.protocol };
    const known = this.#configs.get(name);
    if (known !== undefined && isDeepStrictEqual(known.config, wanted)) return { tls: known.tls, same: true };
    const tls = new CheckTls(config.tls, clock, log);
    this.#configs.set(name, { config: wanted, tls });
    return { tls, same: false };
  }

  #start(cluster: string, entry: BackendEntry, config: ClusterConfig, tls: CheckTls): Running {
    const { signals, clock, random, log, board } = this.#settings;
    const { slot, slotGeneration } = entry;
    const record = signals.begin(cluster, entry.id);
    const said = { cluster, backend: entry.id };
    const stop = startSources(new URL(entry.url), config, record, {
      ...{ clock, random, tls, schedule: this.#schedule, budget: this.#budget },
      ok: (state, detail) => heard(state, clock.monotonicMs(), detail),
      failed: (state, detail) => {
        if (!failed(state, detail)) return;
        const what = `${state.source}${state.name === '' ? '' : ` ${state.name}`}`;
        log.warn(`cluster ${cluster}: no load signal of backend ${entry.id} by ${what}: ${detail}`, {
          ...said,
          source: state.source,
        });
      },
    });
    const orca = config.signals.some(source => source.orca !== undefined) ? record.source('orca') : null;
    return {
      slot,
      slotGeneration,
      answers: orca === null ? null : { take: nowMs => takeAnswers(nowMs, orca) },
      [Symbol.dispose]() {
        for (const one of stop) one[Symbol.dispose]();
        signals.forget(cluster, entry.id, record);
      },
    };

    function takeAnswers(nowMs: number, state: SourceState): void {
      let youngestMs = Number.POSITIVE_INFINITY;
      board.reports(slot, slotGeneration, (kind, value, ageMs) => {
        record.take(kind, value, nowMs - ageMs, state);
        youngestMs = Math.min(youngestMs, ageMs);
      });
      if (youngestMs < Number.POSITIVE_INFINITY) heard(state, nowMs - youngestMs, 'with answers');
      // The workers refused them already; here they are only shown.
      state.refused = board.totals(slot).loadValuesRefused;
    }
  }
}

type SourceConfig = Pick<ClusterConfig, 'signals' | 'tls' | 'protocol'>;

const sameBackend = (a: BackendEntry, b: BackendEntry): boolean =>
  a.url === b.url && a.slot === b.slot && a.slotGeneration === b.slotGeneration;
