// The story of one request, from its head to its last byte: routed, placed, sent, perhaps sent again, answered, accounted.
//
//   begin ─► prepare ─► place ─┬► attempt ─┬► answer ─► end ─► finish
//                 │            │     ▲     └► fail ──► again? ─► place
//                 ▼            └► wait ─┘                │
//               reject ◄────────────────────────────────┘
//
// Nothing here knows a wire format, awaits, or keeps state beyond the exchange.

import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import type { TimerHandle } from '../../core/timers.ts';
import type { PickRequest } from '../../plan/balance/picker.ts';
import { BackendState, Outcome } from '../../scoreboard/ports.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import type { Waiter } from '../cluster/waiting-line.ts';
import { isGrpc } from '../hygiene/grpc.ts';
import { forwardTrailers } from '../hygiene/trailers.ts';
import type { AnswerHead, Incoming, Reason, RequestHead, RequestSink, UpstreamHead } from '../ports.ts';
import { errorAnswer, grpcTrailers, type OwnAnswer } from '../router/answers.ts';
import { Account } from './account.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Plane } from './plane.ts';
import {
  findRoute,
  type Outbound,
  outbound,
  ownAnswer,
  type Refusal,
  type Routed,
  refusal,
  timeLimitMs,
} from './prepare.ts';
import { Replay } from './replay.ts';
import { avoidsBackend, mayRetry } from './retry.ts';
import { openSession, type Session } from './session.ts';
import { joinTunnel } from './tunnel.ts';

/** What a timer of the exchange means when it fires. */
const Timer = { total: 1, head: 2, idle: 3, queue: 4 } as const;

/** So many backends may be found full before the request stands in line, where every release wakes it. */
const PICK_ROUNDS = 8;

export class Exchange implements RequestSink, AttemptOwner, Waiter, PickRequest {
  readonly incoming: Incoming;
  readonly account: Account;
  readonly #plane: Plane;
  readonly #trace: TraceContext;
  #routed: Routed | null = null;
  #outbound: Outbound | null = null;
  #cluster: Cluster | null = null;
  #session: Session | null = null;
  #replay: Replay | null = null;

  #attempt: Attempt | null = null;
  #tried: number[] = [];
  /** Slots that refused a place in the round at hand. */
  #full: number[] = [];
  #made = 0;
  /** Body pieces that came before there was anyone to send them to. */
  #unsent: Uint8Array[] = [];
  #requestEnded = false;
  #trailers: Fields | undefined;
  #continued = false;

  #answered = false;
  #finished = false;
  #queuedAtMs = -1;
  #wanted: Member | null = null;
  #total: TimerHandle = 0;
  #timer: TimerHandle = 0;
  #timerMs = 0;

  constructor(plane: Plane, incoming: Incoming) {
    this.#plane = plane;
    this.incoming = incoming;
    this.#trace = plane.tracer.begin(incoming.head.fields);
    this.account = new Account(plane, incoming, this.#trace);
  }

  get head(): RequestHead {
    return this.incoming.head;
  }

  begin(): void {
    const { incoming } = this;
    incoming.listen(this);
    if (this.#plane.draining) incoming.closeAfter();
    const caller = this.#plane.compiled.requests.caller(incoming.connection, incoming.head);
    this.account.client = caller.address;
    this.account.requestId = caller.requestId;
    const routed = findRoute(this.#plane, incoming, caller);
    if ('code' in routed) return this.#reject(routed);
    this.#routed = routed;
    this.account.routed(routed);
    const against = refusal(this.#plane, incoming, routed);
    if (against !== null) return this.#reject(against);
    const own = ownAnswer(incoming, routed);
    if (own !== null) return 'code' in own ? this.#reject(own) : this.#answerOwn(own);
    const limitMs = timeLimitMs(incoming, routed.route);
    if (limitMs > 0) this.#total = this.#plane.timers.start(limitMs, this, Timer.total);
    this.#toCluster(openSession(this.#plane, incoming, routed));
  }

  #toCluster(session: Session): void {
    const { cluster } = session;
    this.#session = session;
    this.#cluster = cluster;
    this.account.cluster = cluster.name;
    const out = outbound(this.#plane, this.incoming, this.#routed!, cluster.carrier);
    if ('code' in out) return this.#reject(out);
    this.#outbound = out;
    this.#replay = new Replay(cluster.config.retry.buffer);
    cluster.retries.deposit();
    this.#place();
  }

  // ── placing ────────────────────────────────────────────────────────────────────────────────────────────

  /** uint32 that consistent_hash places by. */
  get key(): number {
    return this.#session!.key;
  }

  /** The picker proposes, this vetoes: what was tried, what is full. */
  accepts(slot: number): boolean {
    return !this.#tried.includes(slot) && !this.#full.includes(slot);
  }

  #place(): void {
    if (this.#tryPlace()) return;
    const cluster = this.#cluster!;
    if (this.#wanted === null && !cluster.hasCandidates)
      return this.#reject({ code: 'NO_BACKEND', detail: `cluster ${cluster.name}` });
    if (this.#tried.length > 0 && !this.#anyUntried())
      return this.#reject({ code: 'NO_BACKEND', detail: 'every backend was tried' });
    if (!cluster.line.join(this)) {
      this.#plane.ledger.add('shed', 1);
      return this.#reject({ code: 'QUEUE_FULL', detail: `cluster ${cluster.name}` });
    }
    this.#queuedAtMs = this.#plane.clock.monotonicMs();
    this.#plane.ledger.add('queued', 1);
    this.#startTimer(cluster.config.limits.queue_timeout, Timer.queue);
  }

  /** A place was released somewhere. */
  wake(): boolean {
    return this.#queuedAtMs < 0 || this.#tryPlace();
  }

  #tryPlace(): boolean {
    const cluster = this.#cluster!;
    this.#wanted = this.#preferred();
    this.#full.length = 0;
    for (let round = 0; round < PICK_ROUNDS; round++) {
      const member = this.#wanted ?? cluster.pick(this);
      if (member === null) return false;
      if (this.#plane.ledger.acquire(member.slot, this.#plane.decisions.concurrency(member.slot))) {
        this.#leaveLine();
        this.#session!.placed(member);
        this.#send(member);
        return true;
      }
      // A leased backend that is full is waited for; otherwise the next best is asked.
      if (this.#wanted !== null) return false;
      this.#full.push(member.slot);
    }
    return false;
  }

  /** The backend this session is leased to, unless it was tried already. */
  #preferred(): Member | null {
    const member = this.#session!.preferred();
    return member === null || this.#tried.includes(member.slot) ? null : member;
  }

  #anyUntried(): boolean {
    for (const member of this.#cluster!.members) {
      if (!this.#tried.includes(member.slot) && this.#cluster!.stateOf(member) === BackendState.up)
        return true;
    }
    return false;
  }

  #leaveLine(): void {
    if (this.#queuedAtMs < 0) return;
    this.account.queuedMs += this.#plane.clock.monotonicMs() - this.#queuedAtMs;
    this.#queuedAtMs = -1;
    this.#cluster!.line.leave(this);
    this.#plane.ledger.add('queued', -1);
    this.#stopTimer();
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────

  #send(member: Member): void {
    const plane = this.#plane;
    this.#made += 1;
    this.account.backend = member.id;
    const attempt = new Attempt(this, plane.ledger, member, this.#made, plane.clock.wallMs(), () =>
      plane.clock.monotonicMs(),
    );
    this.#attempt = attempt;
    const head = this.#upstreamHead(member, attempt);
    this.#startTimer(this.#headTimeoutMs(), Timer.head);
    this.account.lease = this.#session!.label;
    attempt.dispatch(head);
    if (!attempt.open) return;
    this.#sendBody(attempt);
  }

  #upstreamHead(member: Member, attempt: Attempt): UpstreamHead {
    const { target, host, fields: base } = this.#outbound!;
    const fields: MutableFields = base.slice();
    attempt.spanId = this.#trace.inject(fields);
    return {
      method: this.head.method,
      target,
      authority: host,
      scheme: member.scheme,
      fields,
      protocol: this.head.protocol,
      bodyLength: this.head.bodyLength,
    };
  }

  #sendBody(attempt: Attempt): void {
    let room = true;
    for (const chunk of this.#replay!.chunks) room = attempt.write(chunk);
    for (const chunk of this.#unsent.splice(0)) {
      this.#replay!.keep(chunk);
      room = attempt.write(chunk);
    }
    if (this.#requestEnded) attempt.endBody(this.#trailers);
    else if (this.head.expectsContinue && !this.#continued) {
      this.#continued = true;
      this.incoming.continue();
    }
    if (room) this.incoming.resume();
    else this.incoming.pause();
  }

  #headTimeoutMs(): number {
    const { timeouts, retry } = this.#cluster!.config;
    return retry.per_try_timeout === undefined
      ? timeouts.head
      : Math.min(retry.per_try_timeout, timeouts.head);
  }

  // ── the client's side ──────────────────────────────────────────────────────────────────────────────────

  data(chunk: Uint8Array): void {
    if (this.#finished) return;
    this.account.bytesIn += chunk.length;
    const limit = this.#routed?.route.config.max_body ?? Number.POSITIVE_INFINITY;
    if (this.account.bytesIn > limit)
      return this.#breakOff({ code: 'BODY_TOO_LARGE', detail: `over ${limit} bytes` });
    const attempt = this.#attempt;
    if (attempt === null || !attempt.open) {
      // After a complete answer the rest of the body has no reader; before a try it waits, bounded by the pause.
      if (this.#answered) return;
      this.#unsent.push(chunk);
      this.incoming.pause();
      return;
    }
    this.#replay!.keep(chunk);
    if (!this.#answered) this.#refreshTimer();
    if (!attempt.write(chunk)) this.incoming.pause();
  }

  end(trailers?: Fields): void {
    this.#requestEnded = true;
    this.#trailers = trailers === undefined ? undefined : forwardTrailers(trailers);
    if (!this.#answered) this.#refreshTimer();
    this.#attempt?.endBody(this.#trailers);
  }

  drained(): void {
    this.#attempt?.resume();
    if (this.#answered && this.#attempt?.open) this.#startIdle();
  }

  gone(reason: Reason): void {
    if (this.#finished) return;
    this.#plane.ledger.add('clientAborts', 1);
    this.#attempt?.abort(reason, Outcome.cancelled);
    this.account.fail(reason, this.#answered ? undefined : 499);
    this.#finish();
  }

  sent(): void {
    this.#finish();
  }

  // ── the backend's side ─────────────────────────────────────────────────────────────────────────────────

  answerInformational(head: AnswerHead): void {
    this.incoming.informational(head);
  }

  answerHead(head: AnswerHead): void {
    this.#answered = true;
    this.#replay!.drop();
    this.#startIdle();
    this.account.answered(head.status);
    const bodyless = this.head.method === 'HEAD' || head.status === 204 || head.status === 304;
    const fields = this.#answerFields(head);
    this.incoming.answer({ status: head.status, fields }, bodyless);
  }

  #answerFields(head: AnswerHead): MutableFields {
    const { answers } = this.#plane.compiled;
    const lease = this.#session!.leaseToSend(this.incoming.connection.tls !== null);
    const { version } = this.#attempt!.member;
    return answers.forward(head, version, this.#routed!.route.answerEdits, this.#cluster!.carrier, lease);
  }

  answerData(chunk: Uint8Array): void {
    this.account.bytesOut += chunk.length;
    if (this.incoming.write(chunk)) return this.#refreshTimer();
    // The client's pace is not the backend's fault: no idle time counts until it has drained.
    this.#stopTimer();
    this.#attempt?.pause();
  }

  bodyWritable(): void {
    this.incoming.resume();
  }

  answerEnd(trailers?: Fields): void {
    this.#stopTimer();
    this.incoming.end(trailers === undefined ? undefined : forwardTrailers(trailers));
  }

  answerUpgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    this.#answered = true;
    this.#stopTimers();
    this.account.answered(head.status);
    const fields = this.#answerFields(head);
    joinTunnel(this.#plane, this, fields, socket, rest);
  }

  attemptFailed(attempt: Attempt, reason: Reason, sent: boolean): void {
    if (this.#finished) return;
    this.#stopTimer();
    if (this.#answered) return this.#cut(reason);
    const failure = {
      code: reason.code,
      sent,
      method: this.head.protocol === '' ? this.head.method : 'GET',
      replayable: this.#replay!.whole,
      made: this.#made,
      attempts: this.#cluster!.config.retry.attempts,
    };
    if (!mayRetry(failure)) return this.#reject(reason);
    if (!this.#cluster!.retries.withdraw()) {
      this.#plane.ledger.add('retriesRefusedByBudget', 1);
      return this.#reject(reason);
    }
    this.#plane.ledger.add('retries', 1);
    if (avoidsBackend(reason.code)) this.#tried.push(attempt.member.slot);
    // With nowhere else to go the first failure is the honest answer.
    if (this.#tried.length > 0 && !this.#anyUntried()) return this.#reject(reason);
    this.#place();
  }

  attemptSettled(attempt: Attempt, code: ErrorCode | ''): void {
    this.account.attempt(attempt, code);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────

  onTimeout(tag: number): void {
    if (this.#finished) return;
    if (tag === Timer.total) {
      this.#total = 0;
      return this.#breakOff({ code: 'DEADLINE', detail: 'the route’s timeout or the request’s own' });
    }
    this.#timer = 0;
    if (tag === Timer.queue) {
      this.#leaveLine();
      this.#plane.ledger.add('shed', 1);
      return this.#reject({ code: 'QUEUE_TIMEOUT', detail: `cluster ${this.#cluster!.name}` });
    }
    if (tag === Timer.head)
      return this.#breakOff({ code: 'HEAD_TIMEOUT', detail: `backend ${this.account.backend}` });
    this.#breakOff({ code: 'BODY_TIMEOUT', detail: `backend ${this.account.backend}` });
  }

  #startIdle(): void {
    this.#startTimer(this.#cluster!.config.timeouts.idle, Timer.idle);
  }

  /** One phase has one timer; 0 ms is no limit. */
  #startTimer(ms: number, tag: number): void {
    this.#stopTimer();
    if (ms === 0) return;
    this.#timerMs = ms;
    this.#timer = this.#plane.timers.start(ms, this, tag);
  }

  #refreshTimer(): void {
    if (this.#timer !== 0) this.#plane.timers.refresh(this.#timer, this.#timerMs);
  }

  #stopTimer(): void {
    if (this.#timer !== 0) this.#plane.timers.cancel(this.#timer);
    this.#timer = 0;
  }

  #stopTimers(): void {
    this.#stopTimer();
    if (this.#total !== 0) this.#plane.timers.cancel(this.#total);
    this.#total = 0;
  }

  // ── endings ────────────────────────────────────────────────────────────────────────────────────────────

  /** The proxy's own word against the exchange: the backend is let go, the client told, or cut when it has heard a part. */
  #breakOff(reason: Reason): void {
    // A body too large and a deadline of the client's choice say nothing about the backend.
    const late = reason.code === 'HEAD_TIMEOUT' || reason.code === 'BODY_TIMEOUT';
    this.#attempt?.abort(reason, late ? Outcome.failure : Outcome.cancelled);
    if (this.#answered) this.#cut(reason);
    else this.#reject(reason);
  }

  #cut(reason: Reason): void {
    this.account.fail(reason);
    // A gRPC client understands a status in the trailers; everyone else must see the connection or stream break.
    if (this.head.version === '2' && isGrpc(this.head.fields))
      return this.incoming.end(grpcTrailers(reason.code));
    this.incoming.abort(reason);
    this.#finish();
  }

  /** Answers with the proxy's own error. */
  #reject(reason: Refusal): void {
    this.account.fail(reason);
    this.#answerOwn(errorAnswer(reason.code, this.head, this.account.requestId, reason.retryAfterS));
  }

  #answerOwn(answer: OwnAnswer): void {
    this.#leaveLine();
    this.#stopTimers();
    this.#answered = true;
    this.#unsent.length = 0;
    this.account.answered(answer.status);
    answer.fields.push('Date', this.#plane.compiled.answers.date());
    const { body } = answer;
    this.incoming.answer(answer, body.length === 0);
    if (body.length > 0) {
      this.account.bytesOut += body.length;
      this.incoming.write(body);
    }
    this.incoming.end();
  }

  /** The tunnel is joined: what follows is the tunnel's own account. */
  handOver(): void {
    this.#stopTimers();
  }

  finish(): void {
    this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#leaveLine();
    this.#stopTimers();
    this.account.close();
    this.#plane.exchangeDone(this);
  }
}
