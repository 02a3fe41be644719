// All backends of all clusters: the one object through which the control plane finds, judges and steers them.

import { join } from 'node:path';
import type { BackendConfig, ClusterConfig } from '../../config/cluster.ts';
import { type Clock, sleep } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { processIdentity } from '../../core/process-identity.ts';
import type { Random } from '../../core/random.ts';
import type { TunnelEnding } from '../../orders/messages.ts';
import type { ClusterEntry } from '../../orders/snapshot.ts';
import type { SignalView } from '../../plan/load/signals.ts';
import {
  BackendState,
  type ControlBoard,
  type Decision,
  NO_FORECAST,
  PLAIN_LEASES,
} from '../../scoreboard/ports.ts';
import { Forecasts } from '../forecast/forecasts.ts';
import type { Seat } from '../session/ports.ts';
import { NO_SAY } from '../signals/agent-line.ts';
import type { AgentView } from '../signals/board.ts';
import { AdminState } from './admin-state.ts';
import { Cluster, type ClusterHands, type Leaving } from './cluster.ts';
import { type LoadBackendFile, loadBackendFile } from './discovery/backend-list.ts';
import { tunnelsDue } from './drain.ts';
import { CheckSchedule } from './health/schedule.ts';
import { Ledger } from './ledger.ts';
import { Operator, tooMany } from './operator.ts';
import type { BackendRegistry } from './ports.ts';
import type { HeldSlot } from './slots.ts';
import { statusOf } from './status.ts';

export interface RegistrySettings {
  readonly board: ControlBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Holds `backends.json` (generations, slots) and `admin.json` (what operators decided). */
  readonly stateDir: string;
  /** Slots of the scoreboard. */
  readonly maxBackends: number;
  /** What agents beside backends ask for. */
  readonly agents?: AgentView;
  readonly loadBackendFile?: LoadBackendFile;
  /** What backends report of their load; left out, forecasts go by what the proxy sees. */
  readonly signals?: SignalView;
  /** Names this process; a control thread that restarts within it takes its slots over. */
  readonly writer?: string;
}

/** How long `configure` waits for discoveries and first checks. */
const FIRST_ROUND_MS = 2_000;
/** Changes that come together are told together: one snapshot, one write. */
const COALESCE_MS = 20;
/**
 * What was decided of a backend that is gone stands this long: the board turns at once, the snapshot that names its
 * successors comes a moment later, and a cluster that exchanged all its backends would have none meanwhile.
 */
const FAREWELL_MS = 500;

export function createRegistry(settings: RegistrySettings): BackendRegistry {
  return new Registry(settings);
}

class Registry implements BackendRegistry {
  readonly #settings: RegistrySettings;
  readonly #hands: ClusterHands;
  readonly #ledger: Ledger;
  readonly #admin: AdminState;
  readonly #operator: Operator;
  readonly #forecasts: Forecasts;
  readonly #clusters = new Map<string, Cluster>();
  /** Pace of each cluster with tunnels to end, kept until the last of a removed one is gone. */
  readonly #paces = new Map<string, number>();
  readonly #listeners: (() => void)[] = [];
  readonly #flipListeners: (() => void)[] = [];
  #entries: readonly Omit<ClusterEntry, 'tls'>[] = [];
  #stale = true;
  #notice: Disposable | undefined;
  #flipNotice: Disposable | undefined;
  #ending: ReadonlySet<number> = new Set();
  /** By slot: since when its backend is gone or out, Unix ms. */
  #outSinceMs: ReadonlyMap<number, number> = new Map();
  /** Of the last tick. */
  #decided = new Map<number, Decision>();
  /** Slots whose backends are gone, of the last tick. */
  #gone: readonly HeldSlot[] = [];
  /** By slot: since when its backend is known to be gone. */
  readonly #leaving = new Map<number, { readonly generation: number; readonly sinceMs: number }>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    const { board, clock, random, log, stateDir, maxBackends } = settings;
    this.#ledger = new Ledger(
      {
        path: join(stateDir, 'backends.json'),
        writer: settings.writer ?? ownName(),
        maxBackends,
        idle: slot => board.idle(slot),
        log,
      },
      clock.monotonicMs(),
      clock.wallMs(),
    );
    this.#admin = new AdminState(join(stateDir, 'admin.json'), log);
    this.#forecasts = new Forecasts({
      ...{ stateDir, clock, random, log, maxBackends },
      signals: settings.signals ?? null,
    });
    this.#hands = {
      forecasts: this.#forecasts,
      ...{ board, clock, random, log, maxBackends },
      load: settings.loadBackendFile ?? loadBackendFile,
      ledger: this.#ledger,
      admin: this.#admin,
      agents: settings.agents ?? { agent: () => NO_SAY },
      checks: new CheckSchedule(clock, random),
      changed: () => this.#changed(),
      flipped: () => this.#flipped(),
    };
    this.#operator = new Operator(this.#clusters, this.#admin, clock, log, maxBackends);
  }

  get forecasts(): Forecasts {
    return this.#forecasts;
  }

  async configure(clusters: Readonly<Record<string, ClusterConfig>>): Promise<void> {
    this.#refuseTooMany(clusters);
    const fresh: Cluster[] = [];
    for (const [name, cluster] of this.#clusters) {
      if (Object.hasOwn(clusters, name)) continue;
      cluster.leave();
      this.#clusters.delete(name);
    }
    for (const [name, config] of Object.entries(clusters)) {
      this.#paces.set(name, config.drain.pace);
      const running = this.#clusters.get(name);
      if (running !== undefined) running.configure(config);
      else {
        const cluster = new Cluster(name, config, this.#hands);
        this.#clusters.set(name, cluster);
        fresh.push(cluster);
      }
    }
    this.#changed();
    const { clock } = this.#settings;
    const enough = new AbortController();
    await Promise.race([
      Promise.all([...this.#clusters.values()].map(cluster => cluster.firstRound())),
      sleep(clock, FIRST_ROUND_MS, enough.signal),
    ]);
    enough.abort();
    for (const cluster of fresh) cluster.settle();
    // The caller reads the entries now; telling it again would make a second, equal snapshot.
    this.#notice?.[Symbol.dispose]();
    this.#notice = undefined;
  }

  entries(): readonly Omit<ClusterEntry, 'tls'>[] {
    if (this.#stale) {
      // On disk first: a lease must never carry a generation that a crash could take back.
      this.#ledger.flush(this.#settings.clock.monotonicMs());
      this.#stale = false;
      this.#entries = [...this.#clusters.values()].map(cluster => cluster.entry());
    }
    return this.#entries;
  }

  tick(): ReadonlyMap<number, Decision> {
    const { slots } = this.#ledger;
    if (slots.sweep(this.#settings.clock.monotonicMs())) this.#ledger.touch();
    const decisions = new Map<number, Decision>();
    const held = slots.held();
    this.#gone = held.filter(slot => slot.retired);
    for (const slot of held) {
      if (slot.retired) decisions.set(slot.index, this.#farewell(slot));
      else this.#leaving.delete(slot.index);
    }
    for (const cluster of this.#clusters.values()) cluster.tick(decisions);
    this.#forecasts.tick();
    this.#decided = decisions;
    return decisions;
  }

  heedStalls(): ReadonlyMap<number, Decision> | null {
    let changed = false;
    for (const cluster of this.#clusters.values()) changed = cluster.heedStalls(this.#decided) || changed;
    return changed ? this.#decided : null;
  }

  #farewell({ index, generation }: HeldSlot): Decision {
    const nowMs = this.#settings.clock.monotonicMs();
    const last = this.#decided.get(index);
    const own = last?.slotGeneration === generation ? last : undefined;
    const known = this.#leaving.get(index);
    const sinceMs = known?.generation === generation ? known.sinceMs : nowMs;
    this.#leaving.set(index, { generation, sinceMs });
    if (own !== undefined && nowMs - sinceMs < FAREWELL_MS) return own;
    return {
      state: BackendState.none,
      milliWeight: 0,
      concurrency: 0,
      slotGeneration: generation,
      ...NO_FORECAST,
      ...PLAIN_LEASES,
    };
  }

  /** Rates are over all workers. An ending is repeated at each call while it holds; one that is missing is over. */
  tunnelsToEnd(planned: (slot: number) => number): readonly TunnelEnding[] {
    const { board, clock } = this.#settings;
    const nowMs = clock.wallMs();
    const endings: TunnelEnding[] = [];
    const out = new Map<number, number>();
    for (const [name, pace] of this.#paces) {
      const left = this.#gone.filter(slot => isOf(name, slot));
      const cluster = this.#clusters.get(name);
      if (cluster === undefined && left.length === 0) {
        this.#paces.delete(name);
        continue;
      }
      const leaving = left.map(({ index }): Leaving => ({ slot: index, endByMs: null }));
      if (cluster !== undefined) leaving.push(...cluster.leaving());
      const holders = leaving.map(({ slot, endByMs }) => {
        const sinceMs = this.#outSinceMs.get(slot) ?? nowMs;
        if (endByMs === null) out.set(slot, sinceMs);
        const tunnels = board.tunnels(slot);
        return { slot, tunnels, planned: planned(slot), endByMs: endByMs ?? sinceMs, out: endByMs === null };
      });
      const ending = tunnelsDue(holders, this.#ending, nowMs, pace);
      if (ending !== undefined) endings.push(ending);
    }
    this.#outSinceMs = out;
    this.#ending = new Set(endings.flatMap(ending => ending.slots));
    return endings;
  }

  status(): ReturnType<BackendRegistry['status']> {
    const { board, clock } = this.#settings;
    return [...this.#clusters.values()].flatMap(cluster =>
      statusOf(cluster, board, this.#admin, this.#ledger.generations, clock),
    );
  }

  seats(name: string): readonly Seat[] {
    const seats = this.#clusters.get(name)?.seats() ?? [];
    const gone = this.#gone.filter(slot => isOf(name, slot));
    if (gone.length === 0) return seats;
    const { board } = this.#settings;
    return [...seats, ...gone.filter(({ index }) => board.tunnels(index) > 0).map(seatOfGone)];
  }

  onChange(run: () => void): void {
    this.#listeners.push(run);
  }

  onFlip(run: () => void): void {
    this.#flipListeners.push(run);
  }

  drain(cluster: string, id: string, deadlineMs?: number): void {
    this.#operator.drain(cluster, id, deadlineMs);
  }

  undrain(cluster: string, id: string): void {
    this.#operator.undrain(cluster, id);
  }

  maintenance(cluster: string, id: string): void {
    this.#operator.maintenance(cluster, id);
  }

  setWeight(cluster: string, id: string, weight: number | null): void {
    this.#operator.setWeight(cluster, id, weight);
    this.#changed();
  }

  add(cluster: string, backend: BackendConfig): void {
    this.#operator.add(cluster, backend);
  }

  remove(cluster: string, id: string): void {
    this.#operator.remove(cluster, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#notice?.[Symbol.dispose]();
    this.#flipNotice?.[Symbol.dispose]();
    for (const cluster of this.#clusters.values()) cluster[Symbol.dispose]();
    this.#ledger.flush(this.#settings.clock.monotonicMs());
    await this.#forecasts[Symbol.asyncDispose]();
  }

  #changed(): void {
    this.#stale = true;
    this.#notice ??= this.#settings.clock.after(COALESCE_MS, () => {
      this.#notice = undefined;
      for (const listener of this.#listeners) listener();
    });
  }

  #flipped(): void {
    this.#flipNotice ??= this.#settings.clock.after(COALESCE_MS, () => {
      this.#flipNotice = undefined;
      for (const listener of this.#flipListeners) listener();
    });
  }

  /** Static lists are known beforehand, so a configuration that cannot fit changes nothing. */
  #refuseTooMany(clusters: Readonly<Record<string, ClusterConfig>>): void {
    const count = Object.values(clusters).reduce((sum, { backends }) => sum + backends.length, 0);
    if (count > this.#settings.maxBackends) throw tooMany(count, this.#settings.maxBackends);
  }
}

const isOf = (cluster: string, { owner }: HeldSlot): boolean => owner.startsWith(`${cluster}/`);

/** What is on it is still to be moved. */
const seatOfGone = ({ owner, index, generation }: HeldSlot): Seat => ({
  id: owner.slice(owner.indexOf('/') + 1, owner.lastIndexOf('@')),
  ...{ slot: index, slotGeneration: generation, state: 'gone', takesNew: false },
  ...{ drainUntilMs: null, requests: 0 },
  ...{ load: Number.NaN, ageMs: 0, predicted: Number.NaN, calendar: null },
});

function ownName(): string {
  const { pid, startTicks, bootId } = processIdentity(process.pid);
  return `${pid}/${startTicks}/${bootId}`;
}
