// The story of one request, from its head to its last byte: routed, placed, sent, perhaps sent again, answered, accounted.
//
//   begin ─► route ─► place ─┬► attempt ─┬► answer ─► end ─► finish
//              │             │     ▲     └► fail ──► again? ─► place
//              ▼             └► wait                   │
//            reject ◄──────────────────────────────────┘
//
// Nothing here knows a wire format, awaits, or keeps state beyond the exchange.

import type { Duplex } from 'node:stream';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import { Outcome } from '../../scoreboard/ports.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { Member } from '../cluster/member.ts';
import { isGrpc, isTrailersOnly, shortenGrpcTimeout } from '../hygiene/grpc.ts';
import { forwardTrailers } from '../hygiene/trailers.ts';
import type { AnswerHead, Incoming, Reason, RequestHead, RequestSink, UpstreamHead } from '../ports.ts';
import { errorAnswer, grpcTrailers, type OwnAnswer } from '../router/answers.ts';
import { Account } from './account.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { Phase, Phases } from './phases.ts';
import { Placement, type PlacementOwner } from './placement.ts';
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
import { ProxiedTunnel, type ProxiedTunnelOwner } from './proxied-tunnel.ts';
import { avoidsBackend, mayRetry } from './retry.ts';
import { openSession, type Session } from './session.ts';
import { joinTunnel } from './tunnel.ts';
import { Upload } from './upload.ts';

export class Exchange implements RequestSink, AttemptOwner, PlacementOwner, ProxiedTunnelOwner {
  readonly incoming: Incoming;
  readonly account: Account;
  readonly #plane: Plane;
  readonly #trace: TraceContext;
  readonly #phases: Phases;
  #routed: Routed | null = null;
  #outbound: Outbound | null = null;
  #placement: Placement | null = null;
  #upload: Upload | null = null;
  #attempt: Attempt | null = null;
  #made = 0;
  /** The last try met a connection that the backend had just closed. */
  #stale = false;
  #answered = false;
  #finished = false;

  constructor(plane: Plane, incoming: Incoming) {
    this.#plane = plane;
    this.incoming = incoming;
    this.#trace = plane.tracer.begin(incoming.head.fields);
    this.#phases = new Phases(plane.timers, this);
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
    this.#phases.limit(timeLimitMs(incoming, routed.route));
    this.#toCluster(openSession(this.#plane, incoming, routed));
  }

  #toCluster(session: Session): void {
    const { cluster } = session;
    this.account.cluster = cluster.name;
    const out = outbound(this.#plane, this.incoming, this.#routed!, cluster.carrier);
    if ('code' in out) return this.#reject(out);
    this.#outbound = out;
    this.account.target = out.target;
    this.#upload = new Upload(this.incoming, cluster.config.retry.buffer);
    this.#placement = new Placement(this, this.#plane, session);
    this.account.placing(this.#placement);
    cluster.retries.deposit();
    this.#place();
  }

  // ── placing and sending ────────────────────────────────────────────────────────────────────────────────

  #place(): void {
    const placement = this.#placement!;
    const outcome = placement.place();
    if (outcome === 'waiting') this.#phases.enter(placement.cluster.config.limits.queue_timeout, Phase.queue);
    else if (outcome !== 'placed') this.#reject(outcome);
  }

  placed(member: Member): void {
    const plane = this.#plane;
    this.#made += 1;
    this.account.placed(member);
    const nowMs = (): number => plane.clock.monotonicMs();
    const attempt = new Attempt(this, plane.ledger, member, this.#made, this.account.nowMs(), nowMs);
    this.#attempt = attempt;
    this.#phases.enter(this.#headTimeoutMs(), Phase.head);
    const head = this.#upstreamHead(member, attempt);
    const { tunnels } = member;
    if (head.protocol !== '' && this.head.version !== '2' && tunnels !== null) {
      const carried = new ProxiedTunnel(plane, this, attempt, { member, account: this.account });
      return carried.open(tunnels, this.incoming, head, this.#headTimeoutMs());
    }
    attempt.dispatch(head);
    if (attempt.open) this.#upload!.sendTo(attempt);
  }

  #upstreamHead(member: Member, attempt: Attempt): UpstreamHead {
    const { method, protocol, bodyLength } = this.head;
    const { target, host, fields: base } = this.#outbound!;
    const fields: MutableFields = base.slice();
    if (attempt.number > 1 || this.#placement!.waitedMs > 0)
      shortenGrpcTimeout(fields, this.account.elapsedMs());
    attempt.spanId = this.#trace.inject(fields);
    const fresh = this.#stale;
    return { method, target, authority: host, scheme: member.scheme, fields, protocol, bodyLength, fresh };
  }

  #headTimeoutMs(): number {
    const { timeouts, retry } = this.#placement!.cluster.config;
    return Math.min(retry.per_try_timeout ?? timeouts.head, timeouts.head);
  }

  // ── the client's side ──────────────────────────────────────────────────────────────────────────────────

  data(chunk: Uint8Array): void {
    if (this.#finished) return;
    this.account.bytesIn += chunk.length;
    const attempt = this.#attempt?.open === true ? this.#attempt : null;
    // After a complete answer the rest of the body has no reader.
    if (attempt === null && this.#answered) return;
    const limit = this.#routed!.route.config.max_body;
    if (this.account.bytesIn > limit)
      return this.#breakOff({ code: 'BODY_TOO_LARGE', detail: `over ${limit} bytes` });
    // The waiting line's time does not begin anew with each piece. An answer's does: its backend may say no more before it
    // has heard all.
    if (attempt !== null) this.#phases.refresh();
    this.#upload!.push(chunk, attempt);
  }

  end(trailers?: Fields): void {
    const attempt = this.#attempt?.open === true ? this.#attempt : null;
    if (attempt !== null) this.#phases.refresh();
    this.#upload?.end(trailers, attempt);
  }

  drained(): void {
    this.#attempt?.resume();
    if (this.#answered && this.#attempt?.open) this.#enterIdle();
  }

  gone(reason: Reason): void {
    if (this.#finished) return;
    if (reason.code === 'CLIENT_GONE') this.#plane.ledger.add('clientAborts', 1);
    this.#attempt?.abort(reason, Outcome.cancelled);
    // What is wrong with a body the connection answers by itself, with the status of the code.
    this.account.fail(reason, ERRORS[reason.code].status);
    this.finish();
  }

  sent(): void {
    this.finish();
  }

  // ── the backend's side ─────────────────────────────────────────────────────────────────────────────────

  answerInformational(head: AnswerHead): void {
    this.incoming.informational(head);
  }

  answerHead(head: AnswerHead): void {
    const { status } = head;
    this.#answered = true;
    this.#upload!.drop();
    this.#enterIdle();
    this.account.answered(status);
    const bodyless = this.head.method === 'HEAD' || status === 204 || status === 304;
    // gRPC clients look for such a status only in a head that ends the stream.
    const whole = bodyless || (this.head.version === '2' && isTrailersOnly(head.fields));
    this.incoming.answer({ status, fields: this.#answerFields(head) }, whole);
  }

  #answerFields(head: AnswerHead): MutableFields {
    const { session, cluster } = this.#placement!;
    const lease = session.leaseToSend(this.incoming.connection.tls !== null);
    const { version } = this.#attempt!.member;
    const { answerEdits } = this.#routed!.route;
    return this.#plane.compiled.answers.forward(head, version, answerEdits, cluster.carrier, lease);
  }

  answerData(chunk: Uint8Array): void {
    this.account.bytesOut += chunk.length;
    if (this.incoming.write(chunk)) return this.#phases.refresh();
    // The client's pace is not the backend's fault: no idle time counts until it has drained.
    this.#phases.leave();
    this.#attempt?.pause();
  }

  bodyWritable(): void {
    this.#upload!.resume();
  }

  answerEnd(trailers?: Fields): void {
    this.#phases.leave();
    this.incoming.end(trailers === undefined ? undefined : forwardTrailers(trailers));
  }

  answerUpgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    this.#answered = true;
    this.#phases.end();
    this.account.answered(head.status);
    const facts = { member: this.#attempt!.member, account: this.account };
    joinTunnel(this.#plane, this.incoming, facts, this.#answerFields(head), socket, rest, reason =>
      this.tunnelOver(reason),
    );
  }

  handedOver(): void {
    this.#answered = true;
    this.#phases.end();
  }

  tunnelAnswered(head: AnswerHead): Fields {
    this.account.answered(head.status);
    return this.#answerFields(head);
  }

  tunnelOver(reason: Reason | null): void {
    if (reason !== null) this.account.fail(reason);
    this.finish();
  }

  attemptFailed(attempt: Attempt, reason: Reason, sent: boolean): void {
    if (this.#finished) return;
    this.#phases.leave();
    if (this.#answered) return this.#cut(reason);
    this.#again(attempt, reason, sent);
  }

  /** Another try where the rules allow one, else the failure is the answer. */
  #again(attempt: Attempt, reason: Reason, sent: boolean): void {
    if (!this.#mayRetry(reason, sent)) return this.#reject(reason);
    this.#stale = reason.code === 'STALE_CONNECTION';
    if (avoidsBackend(reason.code)) this.#placement!.avoid(attempt.member);
    if (this.#placement!.exhausted) return this.#reject(reason);
    this.#plane.ledger.add('retries', 1);
    this.#place();
  }

  #mayRetry(reason: Reason, sent: boolean): boolean {
    const { config, retries } = this.#placement!.cluster;
    const allowed = mayRetry({
      code: reason.code,
      sent,
      perTry: config.retry.per_try_timeout !== undefined,
      // The handshake of an extended CONNECT (RFC 8441) changes as little as that of a GET.
      method: this.head.protocol === '' ? this.head.method : 'GET',
      replayable: this.#upload!.replayable,
      made: this.#made,
      attempts: config.retry.attempts,
    });
    if (!allowed) return false;
    if (retries.withdraw()) return true;
    this.#plane.ledger.add('retriesRefusedByBudget', 1);
    return false;
  }

  attemptSettled(attempt: Attempt, code: ErrorCode | ''): void {
    this.account.attempt(attempt, code);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────

  onTimeout(tag: number): void {
    if (this.#finished) return;
    const backend = `backend ${this.account.backend}`;
    switch (tag) {
      case Phase.whole:
        return this.#breakOff({ code: 'DEADLINE', detail: 'the route’s timeout or the request’s own' });
      case Phase.queue:
        this.#plane.ledger.add('shed', 1);
        return this.#reject({ code: 'QUEUE_TIMEOUT', detail: `cluster ${this.account.cluster}` });
      case Phase.head:
        return this.#headLate({ code: 'HEAD_TIMEOUT', detail: backend });
      default:
        return this.#breakOff({ code: 'BODY_TIMEOUT', detail: backend });
    }
  }

  #headLate(reason: Reason): void {
    const attempt = this.#attempt!;
    // No backend answers what it has not heard: while the client owes a part of its body, the client's time counts.
    const owing = this.#upload!.owing && this.head.protocol === '';
    if (owing && this.head.bodyLength > 0) return this.#phases.enter(this.#headTimeoutMs(), Phase.head);
    attempt.abort(reason, owing ? Outcome.cancelled : Outcome.failure);
    this.#phases.leave();
    this.#again(attempt, reason, true);
  }

  #enterIdle(): void {
    this.#phases.enter(this.#placement!.cluster.config.timeouts.idle, Phase.idle);
  }

  // ── endings ────────────────────────────────────────────────────────────────────────────────────────────

  /** The proxy's own word against the exchange: the backend is let go, the client told, or cut when it has heard a part. */
  #breakOff(reason: Reason): void {
    // A body too large and a deadline of the client's choice say nothing about the backend, one that stopped in mid-answer does.
    this.#attempt?.abort(reason, reason.code === 'BODY_TIMEOUT' ? Outcome.failure : Outcome.cancelled);
    if (this.#answered) this.#cut(reason);
    else this.#reject(reason);
  }

  #cut(reason: Reason): void {
    this.account.fail(reason);
    // A gRPC client understands a status in the trailers; everyone else must see the connection or stream break.
    if (this.head.version === '2' && isGrpc(this.head.fields))
      return this.incoming.end(grpcTrailers(reason.code));
    this.incoming.abort(reason);
    this.finish();
  }

  /** Answers with the proxy's own error. */
  #reject(reason: Refusal): void {
    this.account.fail(reason);
    this.#answerOwn(errorAnswer(reason.code, this.head, this.account.requestId, reason.retryAfterS));
  }

  #answerOwn(answer: OwnAnswer): void {
    const { body } = answer;
    this.#placement?.leaveLine();
    this.#phases.end();
    this.#answered = true;
    this.#upload?.drop();
    this.account.answered(answer.status);
    answer.fields.push('Date', this.#plane.compiled.answers.date());
    this.incoming.answer(answer, body.length === 0);
    if (body.length > 0) {
      this.account.bytesOut += body.length;
      this.incoming.write(body);
    }
    this.incoming.end();
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#placement?.leaveLine();
    this.#phases.end();
    this.account.close();
    this.#plane.exchangeDone(this);
  }
}
