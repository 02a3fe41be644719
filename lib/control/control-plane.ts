// The control plane of one process: applies configurations, keeps the board, answers operators. Wired by control.ts.

import { type ConfigDiff, diffConfig } from '../config/diff.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { ProxyConfig } from '../config/proxy.ts';
import { type ConfigWatch, watchConfig } from '../config/watch.ts';
import { type Clock, every } from '../core/clock.ts';
import { LeasewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { ControlNotice, ListeningSocket } from '../orders/messages.ts';
import type { ClusterEntry, LeaseKey } from '../orders/snapshot.ts';
import type { ControlBoard, Decision } from '../scoreboard/ports.ts';
import type { ReloadResult } from './admin/ports.ts';
import type { LeaseHub } from './api/hub.ts';
import type { BackendRegistry } from './backend/ports.ts';
import type { CertificateStore, TlsMaterial } from './secrets/certificates.ts';
import { loadLeaseKeys } from './secrets/lease-keys.ts';
import { openTicketKeys, type TicketKeys } from './secrets/ticket-keys.ts';
import type { LeaseOutlook } from './session/cookie-leases.ts';
import type { Sessions } from './session/sessions.ts';
import type { SignalWatch } from './signals/watch.ts';
import { SnapshotBuilder } from './snapshots.ts';
import type { WorkerLinks } from './worker-links.ts';

export interface ControlPlaneParts {
  readonly configPath: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly board: ControlBoard;
  readonly registry: BackendRegistry;
  readonly signals: SignalWatch;
  readonly certificates: CertificateStore;
  readonly links: WorkerLinks;
  readonly sessions: Sessions;
  readonly hub: LeaseHub;
  /** Of the control thread before, or 0. */
  readonly generation: number;
  /** Of the control thread before: the state directory's. */
  readonly leaseSecret?: Uint8Array | undefined;
  /** Why the files are not in use, when the thread began without them. */
  readonly problems: readonly string[];
  notify(notice: ControlNotice): void;
  /** The parts of a new configuration that others take on: admin API, telemetry, log. May throw; then the reload is refused. */
  reconfigured(config: ProxyConfig, tls: TlsMaterial): Promise<void>;
}

/** Four times a second, as the forecasts are (F3). */
const TICK_MS = 250;
/** A backend that stands still should get no more work within a few hundred milliseconds. */
const STALLS_MS = 50;

export class ControlPlane implements AsyncDisposable {
  readonly #parts: ControlPlaneParts;
  readonly #snapshots: SnapshotBuilder;
  readonly #ticketKeys: TicketKeys;
  readonly #ticking: Disposable;
  readonly #heeding: Disposable;
  #config: ProxyConfig;
  #tls: TlsMaterial;
  #leaseKeys: readonly LeaseKey[];
  /** The state directory's, once used; a file that goes bad does not change it. */
  #leaseSecret: Uint8Array | undefined;
  #watch: ConfigWatch | null = null;
  #reloading: Promise<ReloadResult> | null = null;
  /** Behind the one that runs, which may have read the files before they changed. */
  #nextReload: Promise<ReloadResult> | null = null;
  #loadedMs: number;
  #problems: readonly string[];
  #listenFailures: readonly string[] = [];
  #serving: readonly { readonly address: string; readonly port: number }[] = [];
  #revision = 1;
  #stoodDown = false;

  private constructor(parts: ControlPlaneParts, config: ProxyConfig, tls: TlsMaterial) {
    const { clock, log, stateDir, registry, certificates } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#tls = tls;
    this.#loadedMs = clock.wallMs();
    this.#snapshots = new SnapshotBuilder(parts.generation);
    this.#problems = parts.problems;
    this.#leaseSecret = parts.leaseSecret;
    this.#leaseKeys = this.#readLeaseKeys(config);
    this.#ticketKeys = openTicketKeys(stateDir, clock, log, () => this.#publish());
    registry.onChange(() => {
      // The decisions first: a worker that knew backends but nothing good of any would have none to send to.
      this.#tick();
      this.#publish();
    });
    registry.onFlip(() => this.#tick());
    certificates.watch(material => {
      this.#tls = material;
      parts.notify({ kind: 'tls-read', texts: certificates.texts });
      this.#publish();
    });
    this.#ticking = every(clock, TICK_MS, () => this.#tick());
    this.#heeding = every(clock, STALLS_MS, () => this.#heedStalls());
  }

  /** Applies the configuration and begins to keep the board. */
  static async start(
    parts: ControlPlaneParts,
    config: ProxyConfig,
    files: readonly string[],
  ): Promise<ControlPlane> {
    const tls = parts.certificates.load(config);
    parts.notify({ kind: 'tls-read', texts: parts.certificates.texts });
    parts.registry.forecasts.configure(config.training);
    await parts.registry.configure(config.clusters);
    parts.sessions.configure(config.clusters);
    const plane = new ControlPlane(parts, config, tls);
    await parts.reconfigured(config, tls);
    plane.#tick();
    plane.#publish();
    plane.#watchFiles(files);
    return plane;
  }

  get config(): ProxyConfig {
    return this.#config;
  }

  get generation(): number {
    return this.#snapshots.generation;
  }

  get loadedMs(): number {
    return this.#loadedMs;
  }

  /** Why the last reload was refused; empty when it was taken. */
  get reloadProblems(): readonly string[] {
    return this.#problems;
  }

  /** Rises with every change an operator makes. */
  get revision(): number {
    return this.#revision;
  }

  get serving(): readonly { readonly address: string; readonly port: number }[] {
    return this.#serving;
  }

  get listenFailures(): readonly string[] {
    return this.#listenFailures;
  }

  /** Places on the scoreboard by route name, those that are gone included. */
  get routeSlots(): ReadonlyMap<string, number> {
    return this.#snapshots.routeNames;
  }

  /** Route names by their place on the scoreboard. */
  get routeNames(): readonly string[] {
    return [...this.#snapshots.routeNames.keys()];
  }

  /** An operator's change to backends: applied to the board at once, not at the next tick. */
  changed(): void {
    this.#revision += 1;
    this.#tick();
    this.#publish();
  }

  /** A successor decides from now on: this plane keeps its workers' board alive and writes nothing down any more. */
  standDown(): void {
    this.#stoodDown = true;
    this.#parts.registry.forecasts.standDown();
    this.#watch?.[Symbol.dispose]();
  }

  servingOn(addresses: readonly { readonly address: string; readonly port: number }[]): void {
    this.#serving = addresses;
  }

  listenFailed(socket: Pick<ListeningSocket, 'address'>, reason: string): void {
    this.#listenFailures = [
      ...this.#listenFailures.slice(-15),
      `cannot listen on ${socket.address}: ${reason}`,
    ];
  }

  /**
   * Reads the files again, and reopens the access log. Throws CONFIG_INVALID, and nothing has changed. What is asked while a reload
   * runs is done after it, once for all who ask.
   */
  reload(): Promise<ReloadResult> {
    if (this.#reloading === null) return this.#begin();
    this.#nextReload ??= this.#reloading.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#nextReload;
  }

  #begin(): Promise<ReloadResult> {
    this.#nextReload = null;
    this.#parts.links.broadcast({ kind: 'reopen-logs' });
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = null;
    });
    return this.#reloading;
  }

  async #reload(): Promise<ReloadResult> {
    const { configPath, log } = this.#parts;
    try {
      const loaded = await loadConfig(configPath, process.env);
      const diff = await this.#apply(loaded);
      this.#problems = [];
      this.#loadedMs = this.#parts.clock.wallMs();
      const changes = [...diff.changes, ...diff.needsRestart];
      log.info('configuration reloaded', { changes: changes.length, generation: this.generation });
      for (const change of changes) log.info(`  ${change}`);
      return { generation: this.generation, changes };
    } catch (error) {
      const detail = error instanceof LeasewayError ? error.detail : messageOf(error);
      this.#problems = detail.split('\n');
      log.error('the new configuration is refused; the former goes on', { problems: this.#problems.length });
      for (const problem of this.#problems.slice(0, 20)) log.error(`  ${problem}`);
      throw error instanceof LeasewayError ? error : new LeasewayError('INTERNAL', detail, error);
    }
  }

  async #apply(loaded: Loaded): Promise<ConfigDiff> {
    const { certificates, registry, reconfigured, notify, log } = this.#parts;
    if (!loaded.ok) throw new LeasewayError('CONFIG_INVALID', loaded.problems.map(formatProblem).join('\n'));
    const { config } = loaded;
    const diff = diffConfig(this.#config, config);
    for (const warning of loaded.warnings) log.warn(formatProblem(warning));
    const tls = certificates.load(config);
    const keys = this.#readLeaseKeys(config);
    await reconfigured(config, tls);
    registry.forecasts.configure(config.training);
    await registry.configure(config.clusters);
    this.#parts.sessions.configure(config.clusters);
    this.#config = config;
    this.#tls = tls;
    this.#leaseKeys = keys;
    this.#listenFailures = [];
    this.#tick();
    this.#publish();
    this.#watchFiles(loaded.files);
    notify({ kind: 'configured', config });
    notify({ kind: 'tls-read', texts: certificates.texts });
    return diff;
  }

  #readLeaseKeys({ leases }: ProxyConfig): readonly LeaseKey[] {
    const { stateDir, log, notify } = this.#parts;
    const keys = loadLeaseKeys(leases.keys, stateDir, log, this.#leaseSecret);
    if (leases.keys.length === 0 && this.#leaseSecret === undefined) {
      this.#leaseSecret = keys[0]!.secret;
      notify({ kind: 'secrets-read', secrets: { leaseSecret: this.#leaseSecret } });
    }
    return keys;
  }

  #watchFiles(files: readonly string[]): void {
    if (this.#watch !== null) return this.#watch.setFiles(files);
    const { configPath, clock } = this.#parts;
    this.#watch = watchConfig(configPath, files, {
      clock,
      onChange: () => void this.reload().catch(() => {}),
    });
  }

  #tick(): void {
    const { board, registry, sessions, signals, links, hub } = this.#parts;
    if (this.#stoodDown) return board.heartbeat();
    signals.follow(registry.entries());
    signals.tick();
    board.publish(withLeases(registry.tick(), sessions.tick()));
    board.heartbeat();
    hub.tick();
    links.endTunnels(registry.tunnelsToEnd(slot => sessions.plannedOn(slot)));
  }

  #heedStalls(): void {
    if (this.#stoodDown) return;
    const decisions = this.#parts.registry.heedStalls();
    if (decisions !== null) this.#parts.board.publish(decisions);
  }

  #publish(): void {
    if (this.#stoodDown) return;
    const { links, registry, notify } = this.#parts;
    const config = this.#config;
    const clusters: ClusterEntry[] = registry
      .entries()
      .map(entry => ({ ...entry, tls: this.#tls.clusters[entry.name] ?? {} }));
    links.publish(
      this.#snapshots.build({
        config,
        clusters,
        listeners: config.listeners.map((listener, i) => ({ config: listener, ...this.#tls.listeners[i]! })),
        leaseKeys: this.#leaseKeys,
        ticketKeys: this.#ticketKeys.current(),
      }),
    );
    notify({ kind: 'published', generation: this.generation });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch?.[Symbol.dispose]();
    this.#ticking[Symbol.dispose]();
    this.#heeding[Symbol.dispose]();
    this.#ticketKeys[Symbol.dispose]();
    this.#parts.certificates[Symbol.dispose]();
    this.#parts.signals[Symbol.dispose]();
    // It would write what it knows over what the successor has written.
    if (this.#stoodDown) return;
    await this.#parts.registry[Symbol.asyncDispose]();
  }
}

/** What is decided of backends, with what is planned of their leases. */
function withLeases(
  decisions: ReadonlyMap<number, Decision>,
  outlooks: ReadonlyMap<number, LeaseOutlook>,
): ReadonlyMap<number, Decision> {
  if (outlooks.size === 0) return decisions;
  const all = new Map(decisions);
  for (const [slot, outlook] of outlooks) {
    const decision = decisions.get(slot);
    if (decision !== undefined) all.set(slot, { ...decision, ...outlook });
  }
  return all;
}
