// This process's hold on the state directory: taken at the start, from the process before, or from whoever runs.

import { existsSync } from 'node:fs';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { acquireLock, lockHolder, type ProcessLock, takeOverLock } from '../core/process-lock.ts';
import { ensureStateDir } from '../core/state-dir.ts';
import { movesQueuedConnections } from './migrate.ts';

export class Tenure implements Disposable {
  readonly #directory: string;
  #lock: ProcessLock | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Throws ALREADY_RUNNING naming the process that runs. */
  begin(): void {
    this.#lock = acquireLock(this.#directory);
  }

  /** Only once we serve, so that a failed upgrade leaves the old process whole. */
  succeed(fromPid: number): void {
    this.#lock = takeOverLock(this.#directory, fromPid);
  }

  /** `--takeover`: we are bound beside the running process; now its lock is ours and it may go. */
  replace(log: Log): void {
    const { lock, replacedPid } = takeOverLock.any(this.#directory);
    this.#lock = lock;
    if (replacedPid === null) return;
    log.info('taking over', { fromPid: replacedPid });
    if (!movesQueuedConnections())
      log.warn(
        'clients that are queued on the old process at this moment are reset: set net.ipv4.tcp_migrate_req=1, or use leaseway upgrade',
      );
    process.kill(replacedPid, 'SIGTERM');
  }

  /** A successor that failed late, with the lock in its hands, is dead by now; the lock is ours again. */
  keep(log: Log): void {
    try {
      if (lockHolder(this.#directory) !== process.pid) this.begin();
    } catch (error) {
      log.error('the lock is lost to another process', { reason: messageOf(error) });
    }
  }

  /** A state directory that went while we run is made anew, with our lock in it; what it held and is still known is written in time. */
  restore(log: Log): void {
    if (existsSync(this.#directory)) return;
    log.error('the state directory is gone; it is made anew', { directory: this.#directory });
    try {
      ensureStateDir(this.#directory);
      this.keep(log);
    } catch (error) {
      log.error('the state directory cannot be made: nothing is kept', { reason: messageOf(error) });
    }
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
  }
}
