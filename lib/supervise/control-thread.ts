// The control thread as the supervisor holds it.

import { extname } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { ControlBirth, ControlCommand, ControlNotice } from '../orders/messages.ts';

export interface ControlEvents {
  notice(notice: ControlNotice): void;
  exited(code: number, error: Error | undefined): void;
}

export class ControlThread {
  readonly #thread: Worker;
  #error: Error | undefined;

  constructor(birth: ControlBirth, events: ControlEvents) {
    const entry = new URL(`../control${extname(import.meta.filename)}`, import.meta.url);
    this.#thread = new Worker(entry, { workerData: birth, execArgv: [], name: 'control' });
    this.#thread.on('error', error => {
      this.#error = error as Error;
    });
    this.#thread.on('exit', code => events.exited(code, this.#error));
    this.#thread.on('message', (notice: ControlNotice) => events.notice(notice));
  }

  send(command: ControlCommand, transfer: readonly MessagePort[] = []): void {
    this.#thread.postMessage(command, transfer);
  }

  terminate(): Promise<unknown> {
    return this.#thread.terminate();
  }
}
