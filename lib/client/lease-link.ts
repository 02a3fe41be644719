// The client's side of leaseway.v1: registers, watches its lease, extends it, answers.

import type {
  AnswerRequestJson,
  AnswerResponseJson,
  ExtendResponseJson,
  LeaseJson,
  MigrationRequestJson,
  RegisterResponseJson,
  ServerStatusUpdateJson,
  WatchResponseJson,
} from '../control/api/gen/leaseway/v1/lease_pb.ts';
import { fullJitterMs } from './backoff.ts';
import { call, ServiceError, stream } from './connect.ts';
import type { Platform } from './platform.ts';

const CALL_MS = 2_000;
/** The proxy sends a heartbeat every 15 s. */
const SILENCE_MS = 45_000;
const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 15_000;
/** Of an answer that got none. */
const ANSWER_TRIES = 3;

export interface LinkOwner {
  migration(request: MigrationRequestJson): void;
  status(status: ServerStatusUpdateJson): void;
  /** Granted, extended or, with null, lost. */
  leased(lease: LeaseJson | null): void;
}

/** What is said of a migration. */
export type MigrationAnswer = Omit<AnswerRequestJson, 'lease' | 'migration'>;

export class LeaseLink {
  readonly #platform: Platform;
  readonly #base: string;
  readonly #path: string;
  readonly #owner: LinkOwner;
  readonly #end = new AbortController();
  #lease: LeaseJson | null = null;
  #watching = false;
  #untimer: () => void = () => {};

  /** `base`: origin, and prefix, of the service. `path`: what the connection will ask for. */
  constructor(platform: Platform, base: string, path: string, owner: LinkOwner) {
    this.#platform = platform;
    this.#base = `${base}/leaseway.v1.LeaseService/`;
    this.#path = path;
    this.#owner = owner;
  }

  /** A ticket for one connection; null when it has to do without, as nobody here gives leases or nobody answers. Never throws. */
  async register(): Promise<string | null> {
    for (const token of this.#lease?.token ? [this.#lease.token, ''] : ['']) {
      try {
        const message = token === '' ? { path: this.#path } : { path: this.#path, lease: token };
        const { lease, ticket } = await this.#call<RegisterResponseJson>('Register', message);
        if (!lease?.token || !ticket || this.#end.signal.aborted) return null;
        this.#leased(lease);
        if (!this.#watching) void this.#watch();
        return ticket;
      } catch (error) {
        if (codeOf(error) !== 'unauthenticated') return null;
        this.#leased(null);
      }
    }
    return null;
  }

  /** Throws ServiceError when the proxy did not take it, or was not reached. */
  async answer(migration: string, answer: MigrationAnswer): Promise<void> {
    const message = { ...answer, lease: this.#lease?.token ?? '', migration };
    for (let attempt = 1; ; attempt++) {
      try {
        const { lease } = await this.#call<AnswerResponseJson>('Answer', message);
        if (lease?.token) this.#leased(lease);
        return;
      } catch (error) {
        if (attempt === ANSWER_TRIES || codeOf(error) !== 'unavailable') throw error;
        await this.#pause(attempt);
      }
    }
  }

  /** A new term; the lease stays as it is when none is given. Never throws. */
  async extend(): Promise<void> {
    const token = this.#lease?.token;
    if (!token) return;
    try {
      const { lease } = await this.#call<ExtendResponseJson>('Extend', { lease: token });
      if (lease?.token && this.#lease?.token === token) this.#leased(lease);
    } catch (error) {
      if (codeOf(error) === 'unauthenticated' && this.#lease?.token === token) this.#leased(null);
    }
  }

  close(): void {
    this.#end.abort();
    this.#untimer();
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    for (let attempt = 0; this.#lease !== null && !this.#end.signal.aborted; attempt++) {
      if (attempt > 0) await this.#pause(attempt);
      const token = this.#lease?.token;
      if (!token || this.#end.signal.aborted) break;
      const silence = new AbortController();
      let untimer = this.#platform.after(SILENCE_MS, () => silence.abort());
      try {
        const signal = AbortSignal.any([this.#end.signal, silence.signal]);
        for await (const event of stream<WatchResponseJson>(
          this.#platform,
          `${this.#base}Watch`,
          { lease: token },
          signal,
        )) {
          untimer();
          untimer = this.#platform.after(SILENCE_MS, () => silence.abort());
          attempt = 0;
          this.#heard(event);
        }
      } catch (error) {
        const code = codeOf(error);
        if (code === 'unauthenticated' && this.#lease?.token === token) this.#leased(null);
        if (code === 'unimplemented') break;
      }
      untimer();
    }
    this.#watching = false;
  }

  #heard({ migration, extension, status }: WatchResponseJson): void {
    if (this.#end.signal.aborted) return;
    if (migration) this.#owner.migration(migration);
    if (extension) void this.extend();
    if (status) this.#owner.status(status);
  }

  #leased(lease: LeaseJson | null): void {
    this.#lease = lease;
    this.#untimer();
    const termMs = lease?.termMs ?? 0;
    // Half of the term is left for tries that fail.
    if (termMs > 0) this.#untimer = this.#platform.after(termMs / 2, () => void this.extend());
    this.#owner.leased(lease);
  }

  async #call<Answer>(method: string, message: object): Promise<Answer> {
    const late = new AbortController();
    const untimer = this.#platform.after(CALL_MS, () => late.abort());
    try {
      const signal = AbortSignal.any([this.#end.signal, late.signal]);
      return await call<Answer>(this.#platform, this.#base + method, message, signal);
    } finally {
      untimer();
    }
  }

  #pause(attempt: number): Promise<void> {
    const ms = fullJitterMs(attempt - 1, RETRY_BASE_MS, RETRY_CAP_MS, this.#platform.random);
    return new Promise(resolve => {
      const untimer = this.#platform.after(ms, done);
      const { signal } = this.#end;
      signal.addEventListener('abort', done);
      function done(): void {
        untimer();
        signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }
}

const codeOf = (error: unknown): string => (error instanceof ServiceError ? error.code : 'unavailable');
