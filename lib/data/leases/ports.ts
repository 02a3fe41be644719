// What the services of leaseway.v1 ask of a worker; lib/rpc speaks the protocols.

import type { GrantedLease, LeaseNews, MigrationSaid } from '../../orders/leases.ts';
import type { Incoming } from '../ports.ts';

/** As much of a request as says who asks, and where. */
export type Asked = Pick<Incoming, 'head' | 'connection'>;

export type RefusalKind =
  | 'invalid'
  | 'forbidden'
  | 'unauthenticated'
  | 'exhausted'
  | 'not_now'
  | 'not_found'
  | 'unavailable';

/** Why a call gets no for an answer; the message is for whoever wrote the client. */
export class LeaseRefusal extends Error {
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Why a stream ends: another took its place, its lease lapsed, this process leaves, its client does not read. */
export type WatchEnd = 'superseded' | 'lapsed' | 'leaving' | 'slow';

/** One open stream. */
export interface Watcher {
  heard(news: LeaseNews): void;
  over(why: WatchEnd): void;
}

/** All may throw LeaseRefusal. */
export interface LeaseCalls {
  register(asked: Asked, path: string, token: string): { lease: GrantedLease; ticket: string };
  /** Disposing the result ends it. */
  watch(token: string, watcher: Watcher): Disposable;
  answer(token: string, migration: string, said: MigrationSaid): Promise<GrantedLease | null>;
  extend(token: string): GrantedLease;
}

/** A call as the protocols see it; the body is whole. */
export interface ServiceRequest {
  readonly asked: Asked;
  readonly path: string;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly header?: Headers | undefined;
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  readonly trailer?: Headers | undefined;
}

export type LeaseService = (request: ServiceRequest) => Promise<ServiceAnswer>;
