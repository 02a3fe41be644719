// The account of one exchange: what happened, when, to whom; becomes the metrics, the server span and the access line.

import type { ErrorCode } from '../../core/errors.ts';
import { fieldValue } from '../../core/fields.ts';
import type { RequestRecord, TraceContext } from '../../telemetry/emit.ts';
import type { Member } from '../cluster/member.ts';
import type { ClientConnection, Incoming, Reason, RequestHead } from '../ports.ts';
import type { CompiledRoute } from '../router/route.ts';
import type { Attempt } from './attempt.ts';
import type { Placement } from './placement.ts';
import type { Plane } from './plane.ts';
import type { Routed } from './prepare.ts';

const USER_AGENT = 'user-agent';

export class Account {
  readonly startMs: number;
  route: CompiledRoute | null = null;
  cluster = '';
  backend = '';
  client: string;
  path = '';
  query = '';
  requestId = '';
  lease = 'none';
  /** Path and query the backend is asked for. */
  target = '';
  bytesIn = 0;
  bytesOut = 0;
  #placement: Placement | null = null;
  #queuedMs = 0;
  status = 0;
  readonly #plane: Plane;
  #head: RequestHead;
  readonly #connection: ClientConnection;
  readonly #trace: TraceContext;
  readonly #startedMs: number;
  #firstByteMs = -1;
  #error: ErrorCode | '' = '';
  #detail = '';
  #attempts: readonly string[] = [];
  #counted = false;

  constructor(plane: Plane, incoming: Incoming, trace: TraceContext) {
    this.#plane = plane;
    this.#head = incoming.head;
    this.#connection = incoming.connection;
    this.#trace = trace;
    this.client = incoming.connection.remoteAddress;
    this.startMs = plane.clock.wallMs();
    this.#startedMs = plane.clock.monotonicMs();
    plane.ledger.add('requestsActive', 1);
  }

  routed({ route, target }: Routed): void {
    this.route = route;
    this.path = target.path;
    this.query = target.query;
  }

  /** From here on it is placed, or waits to be. */
  placing(placement: Placement): void {
    this.#placement = placement;
  }

  placed(member: Member): void {
    this.backend = member.id;
    this.lease = this.#placement!.session.label;
  }

  /** The final head went out. */
  answered(status: number): void {
    this.status = status;
    this.#firstByteMs = this.elapsedMs();
    // It holds all that was tried, and an answer may take hours.
    this.#queuedMs = this.#placement?.waitedMs ?? 0;
    this.#placement = null;
  }

  /** Something went wrong; the first word counts. `status` is what the log shows when the client never got one. */
  fail(reason: Reason, status?: number): void {
    if (this.#error === '') {
      this.#error = reason.code;
      this.#detail = reason.detail;
    }
    if (status !== undefined && this.status === 0) this.status = status;
  }

  attempt(attempt: Attempt, code: ErrorCode | ''): void {
    const endMs = this.nowMs();
    const { member } = attempt;
    const told = `${member.id}:${code === '' ? attempt.status : code}:${Math.round(endMs - attempt.startMs)}`;
    this.#attempts = [...this.#attempts, told];
    if (!this.#trace.sampled) return;
    this.#trace.attemptEnded({
      spanId: attempt.spanId,
      backend: member.id,
      scheme: member.scheme,
      address: member.address,
      target: this.target,
      port: member.port,
      version: member.version,
      number: attempt.number,
      startMs: attempt.startMs,
      endMs,
      status: attempt.status,
      error: code !== '' ? code : attempt.status >= 400 ? String(attempt.status) : '',
    });
  }

  /** Once. */
  #count(): void {
    if (this.#counted) return;
    this.#counted = true;
    const plane = this.#plane;
    plane.ledger.add('requestsActive', -1);
    if (this.route === null) return;
    const slot = plane.compiled.routeSlot(this.route);
    plane.ledger.request(slot, this.status, this.elapsedMs() / 1000, this.bytesIn, this.bytesOut);
  }

  /** It is a tunnel from here on and may last for hours: counted now, and no more is kept than its line will say. */
  tunnelled(): void {
    this.#count();
    const userAgent = fieldValue(this.#head.fields, USER_AGENT);
    this.#head = { ...this.#head, fields: userAgent === undefined ? [] : [USER_AGENT, userAgent] };
  }

  close(): void {
    this.#count();
    const { accessLog } = this.#plane;
    if (accessLog === null && !this.#trace.sampled) return;
    const record = this.#record();
    this.#trace.requestEnded(record);
    accessLog?.write(record);
  }

  /** Unix ms by one clock for the whole exchange: what is within it must not seem to end after it when the clock is set. */
  nowMs(): number {
    return this.startMs + this.elapsedMs();
  }

  elapsedMs(): number {
    return this.#plane.clock.monotonicMs() - this.#startedMs;
  }

  #record(): RequestRecord {
    const [head, connection] = [this.#head, this.#connection];
    return {
      startMs: this.startMs,
      endMs: this.nowMs(),
      client: this.client,
      peer: connection.remoteAddress,
      peerPort: connection.remotePort,
      method: head.method,
      scheme: head.scheme,
      authority: head.authority,
      // Refused before it had a normal form: as it came.
      path: this.path === '' ? head.target : this.path,
      query: this.query,
      version: head.version,
      userAgent: fieldValue(head.fields, USER_AGENT) ?? '',
      requestId: this.requestId,
      listener: connection.listener,
      route: this.route?.name ?? '',
      cluster: this.cluster,
      backend: this.backend,
      status: this.status,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      attempts: this.#attempts,
      queuedMs: this.#placement?.waitedMs ?? this.#queuedMs,
      firstByteMs: this.#firstByteMs,
      lease: this.lease,
      error: this.#error,
      detail: this.#detail,
      traceId: this.#trace.traceId,
    };
  }
}

/** The line of a request that was refused before it became one. */
export const refusalRecord = (
  connection: ClientConnection,
  reason: Reason,
  status: number,
  nowMs: number,
): RequestRecord => ({
  startMs: nowMs,
  endMs: nowMs,
  client: connection.remoteAddress,
  peer: connection.remoteAddress,
  peerPort: connection.remotePort,
  method: '',
  scheme: connection.tls === null ? 'http' : 'https',
  authority: '',
  path: '',
  query: '',
  version: '1.1',
  userAgent: '',
  requestId: '',
  listener: connection.listener,
  route: '',
  cluster: '',
  backend: '',
  status,
  bytesIn: 0,
  bytesOut: 0,
  attempts: [],
  queuedMs: 0,
  firstByteMs: -1,
  lease: 'none',
  error: reason.code,
  detail: reason.detail,
  traceId: '',
});
