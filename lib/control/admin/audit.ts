// Who changed what, in the log; refusals are bounded, so that nobody can fill the disk by guessing tokens.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { plainIp } from './address.ts';
import { isRead } from './guard.ts';

const REFUSALS_EVERY_MS = 1_000;

export class Audit {
  readonly #log: Log;
  readonly #clock: Clock;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  record({ method, url, socket }: IncomingMessage, status: number): void {
    const fields = { method, path: url, status, client: plainIp(socket.remoteAddress ?? '') };
    if (status === 401 || status === 403) this.#refused(fields);
    else if (!isRead(method ?? '')) this.#log.info('admin write', fields);
  }

  #refused(fields: Parameters<Log['warn']>[1]): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) {
      this.#unsaid += 1;
      return;
    }
    this.#log.warn('admin request refused', { ...fields, unsaid: this.#unsaid });
    this.#unsaid = 0;
    this.#quietUntilMs = nowMs + REFUSALS_EVERY_MS;
  }
}
