// One data-plane thread as the supervisor holds it: started, asked, drained, started again when it dies.

import { extname } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import type { ListeningSocket, WorkerBirth, WorkerCommand, WorkerNotice } from '../orders/messages.ts';
import { makeRoomForTheYoung } from './young-space.ts';

export interface WorkerEvents {
  ready(sockets: readonly ListeningSocket[]): void;
  listenFailed(address: string, error: string): void;
  drained(cut: number): void;
  /** After the thread is wholly gone: its row may be released. */
  exited(reason: string): void;
}

export class WorkerThread {
  readonly row: number;
  readonly #thread: Worker;
  #reason: string | undefined;
  #asked: ((sockets: readonly ListeningSocket[]) => void)[] = [];

  constructor(birth: WorkerBirth, events: WorkerEvents) {
    this.row = birth.row;
    // Runs from source and from the compiled files; without inherited flags a thread starts four times as fast.
    const entry = new URL(`../worker${extname(import.meta.filename)}`, import.meta.url);
    makeRoomForTheYoung();
    this.#thread = new Worker(entry, { workerData: birth, execArgv: [], name: `worker-${birth.row}` });
    this.#thread.on('error', error => {
      this.#reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.#thread.on('exit', code => {
      for (const answer of this.#asked.splice(0)) answer([]);
      events.exited(this.#reason ?? `exit ${code}`);
    });
    this.#thread.on('message', (notice: WorkerNotice) => {
      if (notice.kind === 'ready') events.ready(notice.sockets);
      else if (notice.kind === 'listen-failed') events.listenFailed(notice.address, notice.error);
      else if (notice.kind === 'failed') this.#reason = notice.reason;
      else if (notice.kind === 'drained') events.drained(notice.cut);
      else for (const answer of this.#asked.splice(0)) answer(notice.sockets);
    });
  }

  /** Joins this thread to the (new) control thread. */
  connect(port: MessagePort): void {
    this.#thread.postMessage({ kind: 'control', port } satisfies WorkerCommand, [port]);
  }

  drain(order: Omit<Extract<WorkerCommand, { kind: 'drain' }>, 'kind'>): void {
    this.#thread.postMessage({ kind: 'drain', ...order } satisfies WorkerCommand);
  }

  /** The listening sockets; none when the thread dies meanwhile or does not answer in time. */
  sockets(clock: Clock, withinMs: number): Promise<readonly ListeningSocket[]> {
    return new Promise(resolve => {
      const late = clock.after(withinMs, () => resolve([]));
      this.#asked.push(sockets => {
        late[Symbol.dispose]();
        resolve(sockets);
      });
      this.#thread.postMessage({ kind: 'list-sockets' } satisfies WorkerCommand);
    });
  }

  terminate(): Promise<unknown> {
    return this.#thread.terminate();
  }
}
