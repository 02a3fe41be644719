// The story of one request, from its head to its last byte: routed, placed, sent, perhaps sent again, answered, accounted.
//
//   begin ─► route ─► place ─┬► attempt ─┬► answer ─► end ─► finish
//              │             │     ▲     └► fail ──► again? ─► place
//              ▼             └► wait                   │
//            reject ◄──────────────────────────────────┘
//
// Attempts (attempts.ts) is the backends' side of it, Reply (reply.ts) the client's; what comes from one goes to the other
// here. Nothing in this folder knows a wire format, awaits, or keeps state beyond the exchange.

import type { Duplex } from 'node:stream';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import { Outcome } from '../../scoreboard/ports.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { LeaseToSend } from '../hygiene/answer-fields.ts';
import type { AnswerHead, Incoming, Reason, Refusal, RequestSink } from '../ports.ts';
import { errorAnswer, type OwnAnswer } from '../router/answers.ts';
import { Account } from './account.ts';
import type { Attempt } from './attempt.ts';
import { Attempts, type AttemptsOwner } from './attempts.ts';
import { Phase, Phases } from './phases.ts';
import type { Plane } from './plane.ts';
import {
  EXPLAIN_FIELD,
  explains,
  findRoute,
  outbound,
  ownAnswer,
  type Routed,
  refusal,
  timeLimitMs,
} from './prepare.ts';
import { Reply } from './reply.ts';
import { ReusedAnswer } from './reuse.ts';
import { openSession, type Session } from './session.ts';
import { type BroughtTicket, ticketOf } from './ticketed.ts';
import { joinTunnel } from './tunnel.ts';

export class Exchange implements RequestSink, AttemptsOwner {
  readonly incoming: Incoming;
  readonly account: Account;
  readonly trace: TraceContext;
  readonly phases: Phases;
  readonly #plane: Plane;
  readonly #reply: Reply;
  #routed: Routed | null = null;
  #attempts: Attempts | null = null;
  #ticket: BroughtTicket | null = null;
  #finished = false;

  constructor(plane: Plane, incoming: Incoming) {
    this.#plane = plane;
    this.incoming = incoming;
    this.trace = plane.tracer.begin(incoming.head.fields);
    this.phases = new Phases(plane.timers, this);
    this.account = new Account(plane, incoming, this.trace);
    this.#reply = new Reply(plane, incoming, this.account);
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
    this.phases.limit(timeLimitMs(incoming, routed.route));
    const ticket = ticketOf(this.#plane, incoming, routed);
    if (ticket !== null && 'code' in ticket) return this.#reject(ticket);
    this.#ticket = ticket;
    this.#toCluster(openSession(this.#plane, incoming, routed, ticket?.ticket ?? null));
  }

  #toCluster(session: Session): void {
    const { cluster } = session;
    this.account.cluster = cluster.name;
    const out = outbound(this.#plane, this.incoming, this.#routed!, cluster, this.#ticket?.ticket ?? null);
    if ('code' in out) return this.#reject(out);
    this.account.target = out.target;
    const routed = this.#routed!;
    const { priority } = routed.route.config;
    const wishes = { priority, explained: explains(this.#plane, this.incoming, routed) };
    this.#attempts = new Attempts(this, this.#plane, session, out, wishes);
    cluster.retries.deposit();
    this.#attempts.make();
  }

  // ── the client's side ──────────────────────────────────────────────────────────────────────────────────

  data(chunk: Uint8Array): void {
    if (this.#finished) return;
    this.account.bytesIn += chunk.length;
    const attempts = this.#attempts;
    // After a complete answer the rest of the body has no reader.
    if (attempts === null || (this.#reply.begun && !attempts.open)) return;
    const limit = this.#routed!.route.config.max_body;
    if (this.account.bytesIn > limit)
      return this.#breakOff({ code: 'BODY_TOO_LARGE', detail: `over ${limit} bytes` });
    attempts.push(chunk);
  }

  end(trailers?: Fields): void {
    this.#attempts?.end(trailers);
  }

  drained(): void {
    const attempts = this.#attempts;
    attempts?.resume();
    if (this.#reply.begun && attempts?.open) attempts.enterIdle();
  }

  gone(reason: Reason): void {
    if (this.#finished) return;
    if (reason.code === 'CLIENT_GONE') this.#plane.ledger.add('clientAborts', 1);
    this.#attempts?.abort(reason, Outcome.cancelled);
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
    this.#attempts!.settled();
    this.#attempts!.enterIdle();
    const lease = this.#lease();
    const forAll = head.memo != null && lease === null && this.#attempts!.explanation === '';
    const known = forAll ? this.#knownAnswer(head) : null;
    this.#reply.head(head.status, head.fields, known?.fields ?? this.#answerFields(head, lease), known);
  }

  #lease(): LeaseToSend | null {
    return this.#attempts!.session.leaseToSend(this.incoming.connection.tls !== null);
  }

  #knownAnswer(head: AnswerHead): ReusedAnswer {
    const { answers } = this.#plane.compiled;
    const { route } = this.#routed!;
    const { cluster } = this.#attempts!.session;
    return (
      ReusedAnswer.of(head, answers, route, cluster) ??
      ReusedAnswer.keep(this.#answerFields(head, null), head, answers, route, cluster)
    );
  }

  #answerFields(head: AnswerHead, lease: LeaseToSend | null): MutableFields {
    const { session, member, explanation } = this.#attempts!;
    const { answerEdits } = this.#routed!.route;
    const { answers } = this.#plane.compiled;
    const { cluster } = session;
    const fields = answers.forward(head, member.version, answerEdits, cluster.carrier, lease);
    cluster.orca?.stripHead(fields);
    if (explanation !== '') fields.push(EXPLAIN_FIELD, explanation);
    return fields;
  }

  answerData(chunk: Uint8Array): void {
    if (this.#reply.write(chunk)) return this.phases.refresh();
    // The client's pace is not the backend's fault: no idle time counts until it has drained.
    this.phases.leave();
    this.#attempts!.pause();
  }

  bodyWritable(): void {
    this.#attempts!.bodyWritable();
  }

  answerEnd(trailers?: Fields): void {
    this.phases.leave();
    const { orca } = this.#attempts!.session.cluster;
    this.#reply.end(trailers === undefined || orca === null ? trailers : orca.strip(trailers));
  }

  answerUpgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    // From here on the relay keeps time and talks to the client.
    this.#reply.handOver();
    this.phases.end();
    this.account.answered(head.status);
    const { member, outbound, session } = this.#attempts!;
    const { account, trace } = this;
    // The tunnel has the account from here on, for hours perhaps: what led here is not kept for it.
    this.#finished = true;
    const fields = this.#answerFields(head, this.#lease());
    this.#attempts = null;
    const facts = {
      ...{ member, account, outbound, trace },
      ...{ cluster: session.cluster, answer: head, key: session.key, ticket: this.#ticket },
      lease: session.leaseId,
    };
    joinTunnel(this.#plane, this.incoming, facts, fields, socket, rest, reason => {
      if (reason !== null) account.fail(reason);
      account.close();
    });
  }

  attemptFailed(attempt: Attempt, reason: Reason, sent: boolean): void {
    if (this.#finished) return;
    this.phases.leave();
    if (this.#reply.begun) return this.#cut(reason);
    this.#attempts!.again(attempt, reason, sent);
  }

  attemptSettled(attempt: Attempt, code: ErrorCode | ''): void {
    this.account.attempt(attempt, code);
  }

  gaveUp(reason: Refusal): void {
    this.#reject(reason);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────

  onTimeout(tag: number): void {
    if (this.#finished) return;
    const backend = `backend ${this.account.backend}`;
    switch (tag) {
      case Phase.whole:
        return this.#breakOff({ code: 'DEADLINE', detail: 'the route’s timeout or the request’s own' });
      case Phase.queue:
        return this.#attempts!.waitedInVain();
      case Phase.head:
        return this.#attempts!.late({ code: 'HEAD_TIMEOUT', detail: backend });
      default:
        return this.#breakOff({ code: 'BODY_TIMEOUT', detail: backend });
    }
  }

  // ── endings ────────────────────────────────────────────────────────────────────────────────────────────

  /** The proxy's own word against the exchange: the backend is let go, the client told, or cut when it has heard a part. */
  #breakOff(reason: Reason): void {
    // A body too large and a deadline of the client's choice say nothing about the backend, one that stopped in mid-answer does.
    this.#attempts?.abort(reason, reason.code === 'BODY_TIMEOUT' ? Outcome.failure : Outcome.cancelled);
    if (this.#reply.begun) this.#cut(reason);
    else this.#reject(reason);
  }

  #cut(reason: Reason): void {
    if (this.#reply.cut(reason)) this.finish();
  }

  /** Answers with the proxy's own error. */
  #reject(reason: Refusal): void {
    this.account.fail(reason);
    this.#answerOwn(errorAnswer(reason.code, this.incoming.head, this.account.requestId, reason.retryAfterS));
  }

  #answerOwn(answer: OwnAnswer): void {
    this.#attempts?.leaveLine();
    this.#attempts?.settled();
    this.phases.end();
    this.#reply.own(answer);
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#attempts?.leaveLine();
    this.#attempts?.settled();
    this.phases.end();
    this.account.close();
  }
}
