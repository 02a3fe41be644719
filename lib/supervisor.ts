// The main thread: starts the control thread and the workers, watches them, starts them again, and ends or hands over the process.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ProxyConfig } from './config/proxy.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { LeasewayError, messageOf } from './core/errors.ts';
import { EXIT } from './core/exit-codes.ts';
import type { Log } from './core/log.ts';
import { ensureStateDir, stateDirOf } from './core/state-dir.ts';
import type { ControlCommand, ControlNotice, ListeningSocket, Secrets, TlsTexts } from './orders/messages.ts';
import { createScoreboard, type Scoreboard } from './scoreboard/layout.ts';
import { HeartbeatReader, releaseRow } from './scoreboard/supervise.ts';
import { type BackoffState, died, started } from './supervise/backoff.ts';
import { keepCode } from './supervise/code-cache.ts';
import { ControlThread } from './supervise/control-thread.ts';
import { Crew } from './supervise/crew.ts';
import {
  announceFailure,
  announceReady,
  type Inheritance,
  inheritance,
  spawnSuccessor,
} from './supervise/handover.ts';
import { endProcess, type SupervisorOptions } from './supervise/options.ts';
import { drainShare, workersFor } from './supervise/shares.ts';
import { Tenure } from './supervise/tenure.ts';
import { Watchdog } from './supervise/watchdog.ts';
import { WorkerThread } from './supervise/worker-thread.ts';
import { createLog } from './telemetry/log.ts';

const READY_WITHIN_MS = 30_000;
const WATCH_EVERY_MS = 1_000;
const STOP_WITHIN_MS = 3_000;

/** Runs until the process should exit; resolves with the exit code. */
export function runSupervisor(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options, systemClock, createLog({ level: 'info', format: 'text' })).run();
}

class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  #log: Log;
  readonly #inherited: Inheritance | null;
  readonly #startedMs: number;
  #finish: (code: number) => void = () => {};

  #config: ProxyConfig | null = null;
  #tls: TlsTexts | undefined;
  #secrets: Partial<Secrets> = {};
  /** Whether the control thread of now has come as far as to have a configuration in use, and whether it was to begin without the files. */
  #controlBegan = false;
  #distrustFiles = false;
  #generation = 0;
  #board: Scoreboard | null = null;
  #heartbeat: HeartbeatReader | null = null;
  #stateDir = '';
  #tenure: Tenure | null = null;
  #control: ControlThread | null = null;
  #controlBackoff: BackoffState | undefined;
  #admin: ListeningSocket | null = null;

  #crew: Crew | null = null;
  #serving = false;

  readonly #watchdog: Watchdog<ControlThread | WorkerThread>;
  #leaving: 'no' | 'draining' | 'stopping' = 'no';
  /** Set while a successor is being started; aborted when we are told to end meanwhile. */
  #upgrading: AbortController | null = null;
  #examplesPid: number | null;

  constructor(options: SupervisorOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#watchdog = new Watchdog(clock);
    this.#inherited = inheritance(process.env);
    this.#examplesPid = this.#inherited?.examplesPid ?? options.examplesPid ?? null;
    this.#startedMs = clock.wallMs();
  }

  async run(): Promise<number> {
    const signals: [NodeJS.Signals, () => void][] = [
      ['SIGTERM', () => this.#leave()],
      ['SIGINT', () => this.#leave()],
      ['SIGHUP', () => this.#tellControl({ kind: 'reload' })],
      ['SIGUSR2', () => void this.#upgrade(0)],
    ];
    for (const [name, act] of signals) process.on(name, act);
    // Clock timers do not keep a process alive; threads do, but between a death and a restart there may be none.
    const alive = setInterval(() => this.#watch(), WATCH_EVERY_MS);
    const done = new Promise<number>(resolve => {
      this.#finish = resolve;
    });
    this.#startControl();
    const code = await done;
    this.#leaving = 'stopping';
    clearInterval(alive);
    for (const [name, act] of signals) process.off(name, act);
    await Promise.all([this.#crew?.endAll(), this.#control?.terminate()]);
    this.#tenure?.[Symbol.dispose]();
    if (this.#examplesPid !== null) endProcess(this.#examplesPid);
    return code;
  }

  // ── control ────────────────────────────────────────────────────────────────────────────────────────────

  #startControl(): void {
    this.#controlBackoff = started(this.#controlBackoff, this.#clock.monotonicMs());
    this.#controlBegan = false;
    // Before the thread: Node makes the folder of its compile cache, for all to read.
    this.#tenure?.restore(this.#log);
    const inherited =
      this.#config === null || this.#board === null
        ? null
        : {
            config: this.#config,
            generation: this.#generation,
            board: this.#board,
            stateDir: this.#stateDir,
            tls: this.#tls,
            secrets: this.#secrets,
            distrustFiles: this.#distrustFiles,
          };
    const control = new ControlThread(
      {
        configPath: this.#options.configPath,
        workers: this.#options.workers ?? null,
        inherited,
        adminSocket: inherited === null ? (this.#inherited?.admin ?? null) : null,
        adminPort: this.#admin?.port ?? null,
        takeover: this.#options.takeover,
        startedMs: this.#startedMs,
      },
      {
        notice: notice => this.#onNotice(notice),
        exited: (code, error) => this.#onControlExit(control, code, error),
      },
    );
    this.#control = control;
    if (this.#heartbeat !== null) this.#watchdog.born(control, () => this.#heartbeat!.controlAgeMs());
    this.#crew?.introduceAll();
    if (this.#serving) this.#announceServing();
  }

  #onNotice(notice: ControlNotice): void {
    switch (notice.kind) {
      case 'configured':
        return void this.#onConfigured(notice.config);
      case 'tls-read':
        this.#tls = notice.texts;
        return;
      case 'secrets-read':
        this.#secrets = { ...this.#secrets, ...notice.secrets };
        return;
      case 'published':
        this.#generation = notice.generation;
        return;
      case 'refused':
        return this.#fail(notice.error, notice.code === 'CONFIG_INVALID' ? EXIT.configInvalid : EXIT.failed);
      case 'admin-listening':
        this.#admin = notice.socket;
        return this.#announceIfServing();
      case 'upgrade':
        return void this.#upgrade(notice.requestId);
      case 'shutdown':
        return this.#leave();
      case 'stopped':
        return this.#finish(0);
    }
  }

  async #onConfigured(config: ProxyConfig): Promise<void> {
    const first = this.#config === null;
    this.#config = config;
    this.#controlBegan = true;
    this.#log = createLog({ level: config.log.level, format: config.log.format });
    if (!first) return;
    try {
      this.#stateDir = ensureStateDir(
        stateDirOf({ configPath: this.#options.configPath, configured: config.state.dir, env: process.env }),
      );
      this.#tenure = new Tenure(this.#stateDir);
      if (this.#inherited === null && !this.#options.takeover) this.#tenure.begin();
    } catch (error) {
      const running = error instanceof LeasewayError && error.code === 'ALREADY_RUNNING';
      return this.#fail(`leaseway: ${messageOf(error)}`, running ? EXIT.refused : EXIT.failed);
    }
    keepCode(this.#stateDir, process.env, this.#log);
    const count = workersFor(config, this.#options.workers);
    this.#board = createScoreboard({ workers: count, slots: config.max_backends });
    this.#tellControl({ kind: 'board', board: this.#board, stateDir: this.#stateDir });
    this.#heartbeat = new HeartbeatReader(this.#board, this.#clock);
    this.#watchdog.born(this.#control!, () => this.#heartbeat!.controlAgeMs());
    this.#crew = this.#assemble(this.#board, count);
    this.#crew.begin();
  }

  /** We cannot begin: said to the operator here and, where we were to succeed another process, to the operator there. */
  #fail(text: string, code: number): void {
    process.stderr.write(`${text}\n`);
    if (this.#inherited === null) return this.#finish(code);
    void announceFailure(text).then(() => this.#finish(code));
  }

  #onControlExit(control: ControlThread, code: number, error: Error | undefined): void {
    this.#watchdog.gone(control);
    this.#control = null;
    if (this.#leaving === 'stopping') return this.#finish(0);
    // The workers finish by the snapshot they have; a new control thread would write beside the successor's.
    if (this.#leaving === 'draining') return;
    const reason = error === undefined ? `exit ${code}` : (error.stack ?? error.message);
    if (this.#config === null) return this.#fail(`leaseway: the control thread failed: ${reason}`, 1);
    // What the files say now may be why: then the next begins with what is in use, and the one after that looks at the files again.
    this.#distrustFiles = !this.#controlBegan && !this.#distrustFiles;
    const now = this.#clock.monotonicMs();
    this.#controlBackoff = died(this.#controlBackoff!, now);
    this.#log.error('the control thread died; traffic goes on, starting it again', {
      reason,
      inMs: this.#controlBackoff.delayMs,
    });
    this.#clock.after(this.#controlBackoff.delayMs, () => {
      if (this.#leaving === 'no') this.#startControl();
    });
  }

  #tellControl(command: ControlCommand): void {
    this.#control?.send(command);
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────────────────────

  #assemble(board: Scoreboard, count: number): Crew {
    return new Crew(
      {
        ...{ board, count, clock: this.#clock },
        inherited: this.#inherited?.sockets ?? [],
        exclusive: this.#inherited === null && !this.#options.takeover,
      },
      {
        born: worker => this.#watchdog.born(worker, () => this.#heartbeat!.workerAgeMs(worker.row)),
        gone: worker => {
          this.#watchdog.gone(worker);
          releaseRow(board, worker.row);
          this.#tellControl({ kind: 'worker-gone', row: worker.row });
        },
        introduce: row => this.#introduce(row),
        ready: () => this.#announceIfServing(),
        listenFailed: (address, error) => this.#onListenFailed(address, error),
        drained: (row, cut) => this.#onDrained(row, cut),
        died: (row, reason, inMs) =>
          this.#log.error('a worker died; its connections are lost, starting it again', {
            worker: row,
            ...{ reason, inMs },
          }),
        empty: () => this.#stop(),
      },
    );
  }

  #introduce(row: number): MessagePort | null {
    if (this.#control === null) return null;
    const { port1, port2 } = new MessageChannel();
    this.#control.send({ kind: 'worker', row, port: port1 }, [port1]);
    return port2;
  }

  #announceIfServing(): void {
    // In a takeover the admin port is the old process's until that is gone.
    const admin = this.#admin !== null || this.#options.takeover;
    const crew = this.#crew;
    if (this.#serving || !admin || crew === null || !crew.isReady) return;
    this.#serving = true;
    crew.settle();
    this.#announceServing();
    for (const { address, port } of crew.addresses)
      this.#log.info('listening', { address, port, workers: crew.count });
    try {
      if (this.#inherited !== null) {
        this.#tenure!.succeed(this.#inherited.fromPid);
        void announceReady();
      } else if (this.#options.takeover) this.#tenure!.replace(this.#log);
    } catch (error) {
      return this.#fail(`leaseway: ${messageOf(error)}`, EXIT.refused);
    }
    this.#options.onServing?.(crew.addresses, this.#admin, this.#config!);
  }

  #announceServing(): void {
    this.#tellControl({
      kind: 'serving',
      addresses: this.#crew!.addresses.map(({ address, port }) => ({ address, port })),
    });
  }

  #onListenFailed(address: string, error: string): void {
    if (!this.#serving) {
      return this.#fail(`leaseway: cannot listen on ${address}: ${error}`, 1);
    }
    this.#log.error('cannot listen', { address, reason: error });
    this.#tellControl({ kind: 'listen-failed', address, error });
  }

  /** Ends threads that hang; their exit then starts them again. */
  #watch(): void {
    for (const thread of this.#watchdog.look()) {
      if (thread instanceof WorkerThread)
        this.#log.error('a worker hangs; ending it', { worker: thread.row });
      else this.#log.error('the control thread hangs; ending it');
      void thread.terminate();
    }
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────────────

  async #upgrade(requestId: number): Promise<void> {
    const answer = (result: { pid?: number; error?: string }): void =>
      this.#tellControl({ kind: 'upgrade-result', requestId, ...result });
    if (process.platform !== 'linux')
      return answer({ error: 'only Linux can hand listening sockets on; restart instead' });
    if (this.#upgrading !== null || this.#leaving !== 'no' || !this.#serving)
      return answer({ error: 'not now: starting, leaving or upgrading already' });
    const upgrading = new AbortController();
    this.#upgrading = upgrading;
    this.#tellControl({ kind: 'upgrading', on: true });
    this.#log.info('upgrading: starting the successor');
    try {
      const { pid } = await spawnSuccessor(
        {
          sockets: await this.#crew!.sockets(),
          admin: this.#admin,
          examplesPid: this.#examplesPid,
        },
        this.#clock,
        READY_WITHIN_MS,
        upgrading.signal,
      );
      this.#examplesPid = null;
      this.#log.info('upgraded: the successor serves, finishing what is here', { pid });
      answer({ pid });
      this.#drain(true);
    } catch (error) {
      const reason = error instanceof LeasewayError ? error.detail : messageOf(error);
      this.#log.error('the upgrade failed; going on as before', { reason });
      this.#tellControl({ kind: 'upgrading', on: false });
      this.#tenure!.keep(this.#log);
      answer({ error: reason });
    } finally {
      this.#upgrading = null;
    }
  }

  #leave(): void {
    if (this.#leaving !== 'no' || this.#config === null) {
      this.#log.warn('asked twice: ending at once');
      return this.#finish(this.#leaving === 'no' ? 0 : 1);
    }
    this.#upgrading?.abort();
    this.#log.info('shutting down: finishing what is here', { deadlineMs: this.#config.shutdown.deadline });
    this.#drain(false);
  }

  #drain(successor: boolean): void {
    if (this.#leaving !== 'no') return;
    const { shutdown } = this.#config!;
    this.#leaving = 'draining';
    this.#tellControl({ kind: 'draining', successor });
    this.#clock.after(shutdown.deadline + STOP_WITHIN_MS, () => this.#stop());
    if (this.#crew === null) return this.#stop();
    this.#crew.drain(drainShare(shutdown, this.#crew.count, successor));
  }

  #onDrained(row: number, cut: number): void {
    if (cut > 0) this.#log.warn('the deadline came: connections were cut', { worker: row, connections: cut });
    this.#crew?.end(row);
  }

  #stop(): void {
    if (this.#leaving === 'stopping') return;
    this.#leaving = 'stopping';
    this.#log.info('finished');
    if (this.#control === null) return this.#finish(0);
    this.#tellControl({ kind: 'stop' });
    this.#clock.after(STOP_WITHIN_MS, () => this.#finish(0));
  }
}
