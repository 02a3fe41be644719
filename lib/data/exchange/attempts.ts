// The attempts of one exchange: placed, sent, fed with the body, and made once more where the rules allow it.

import { EPOCH_FIELD } from '../../core/cooperation.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import { Outcome, type OutcomeCode } from '../../scoreboard/ports.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { Member } from '../cluster/member.ts';
import { shortenGrpcTimeout } from '../hygiene/grpc.ts';
import type { Incoming, Reason, Refusal, UpstreamHead } from '../ports.ts';
import type { Account } from './account.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { Phase, type Phases } from './phases.ts';
import { Placement, type PlacementOwner, type PlacementWishes } from './placement.ts';
import type { Plane } from './plane.ts';
import type { Outbound } from './prepare.ts';
import { avoidsBackend, isUnprocessed, mayRetry } from './retry.ts';
import type { Session } from './session.ts';
import { Upload } from './upload.ts';

/** The exchange, as its attempts know it. */
export interface AttemptsOwner extends AttemptOwner {
  readonly incoming: Incoming;
  readonly account: Account;
  readonly trace: TraceContext;
  readonly phases: Phases;
  /** There will be no other attempt; nothing was passed on of any. */
  gaveUp(reason: Refusal): void;
}

export class Attempts implements PlacementOwner {
  readonly #owner: AttemptsOwner;
  readonly #plane: Plane;
  readonly #outbound: Outbound;
  readonly #placement: Placement;
  readonly #upload: Upload;
  #attempt: Attempt | null = null;
  #made = 0;
  /** Of them, those that no backend began to work on. */
  #unprocessed = 0;
  /** The last one met a connection that the backend had just closed. */
  #stale = false;

  constructor(
    owner: AttemptsOwner,
    plane: Plane,
    session: Session,
    outbound: Outbound,
    wishes: PlacementWishes,
  ) {
    this.#owner = owner;
    this.#plane = plane;
    this.#outbound = outbound;
    this.#upload = new Upload(owner.incoming, session.cluster.config.retry.buffer);
    this.#placement = new Placement(this, plane, session, wishes);
    owner.account.placing(this.#placement);
  }

  /** One is under way. */
  get open(): boolean {
    return this.#attempt?.open === true;
  }

  get session(): Session {
    return this.#placement.session;
  }

  /** For the client; empty unless asked for. */
  get explanation(): string {
    return this.#placement.explanation;
  }

  get outbound(): Outbound {
    return this.#outbound;
  }

  /** Where the last one went. */
  get member(): Member {
    return this.#attempt!.member;
  }

  /** Places the request and sends it, now or when it has waited its turn. */
  make(): void {
    const outcome = this.#placement.place();
    if (outcome === 'waiting')
      this.#owner.phases.enter(this.#placement.cluster.config.limits.queue_timeout, Phase.queue);
    else if (outcome !== 'placed') this.#owner.gaveUp(outcome);
  }

  placed(member: Member): void {
    const plane = this.#plane;
    const { account, phases } = this.#owner;
    this.#made += 1;
    account.placed(member);
    const attempt = new Attempt(this.#owner, plane.ledger, member, this.#made, account.nowMs(), plane.clock);
    this.#attempt = attempt;
    phases.enter(this.#headTimeoutMs(), Phase.head);
    attempt.dispatch(this.#upstreamHead(member, attempt));
    if (attempt.open) this.#upload.sendTo(attempt);
    this.#placement.cluster.probe();
  }

  shed(reason: Refusal): void {
    this.#owner.gaveUp(reason);
  }

  /** The time for waiting in line is over. */
  waitedInVain(): void {
    this.#placement.shed('timeout');
  }

  #upstreamHead(member: Member, attempt: Attempt): UpstreamHead {
    const { incoming, account, trace } = this.#owner;
    const { method, protocol, bodyLength } = incoming.head;
    const { target, host, fields: base, leased, known } = this.#outbound;
    const fields: MutableFields = base.slice();
    if (attempt.number > 1 || this.#placement.waitedMs > 0) shortenGrpcTimeout(fields, account.elapsedMs());
    if (leased) fields.push(EPOCH_FIELD, member.epoch);
    attempt.spanId = trace.inject(fields);
    const fresh = this.#stale;
    const { scheme } = member;
    return { method, target, authority: host, scheme, fields, protocol, bodyLength, fresh, known };
  }

  #headTimeoutMs(): number {
    const { timeouts, retry } = this.#placement.cluster.config;
    return Math.min(retry.per_try_timeout ?? timeouts.head, timeouts.head);
  }

  // ── the body ───────────────────────────────────────────────────────────────────────────────────────────

  push(chunk: Uint8Array): void {
    this.#upload.push(chunk, this.#moved());
  }

  end(trailers: Fields | undefined): void {
    this.#upload.end(trailers, this.#moved());
  }

  bodyWritable(): void {
    this.#upload.resume();
  }

  /**
   * The attempt under way, whose phase has its whole time again. The waiting line's time does not begin anew with each piece. An
   * answer's does: its backend may say no more before it has heard all.
   */
  #moved(): Attempt | null {
    if (!this.open) return null;
    this.#owner.phases.refresh();
    return this.#attempt;
  }

  // ── the answer ─────────────────────────────────────────────────────────────────────────────────────────

  /** The client has its answer: no other attempt needs the body. */
  settled(): void {
    this.#upload.drop();
  }

  pause(): void {
    this.#attempt?.pause();
  }

  resume(): void {
    this.#attempt?.resume();
  }

  /** Something is to come of the answer within this time. */
  enterIdle(): void {
    this.#owner.phases.enter(this.#placement.cluster.config.timeouts.idle, Phase.idle);
  }

  // ── endings ────────────────────────────────────────────────────────────────────────────────────────────

  abort(reason: Reason, outcome: OutcomeCode): void {
    this.#attempt?.abort(reason, outcome);
  }

  leaveLine(): void {
    this.#placement.leaveLine();
  }

  /** The head did not come in time. */
  late(reason: Reason): void {
    const { incoming, phases } = this.#owner;
    const attempt = this.#attempt!;
    // No backend answers what it has not heard: while the client owes a part of its body, the client's time counts.
    const owing = this.#upload.owing && incoming.head.protocol === '';
    if (owing && incoming.head.bodyLength > 0) return phases.enter(this.#headTimeoutMs(), Phase.head);
    attempt.abort(reason, owing ? Outcome.cancelled : Outcome.failure);
    phases.leave();
    this.again(attempt, reason, true);
  }

  /** Another one where the rules allow it, else the failure is the answer. */
  again(failed: Attempt, reason: Reason, sent: boolean): void {
    if (!this.#mayRetry(reason, sent)) return this.#owner.gaveUp(reason);
    this.#stale = reason.code === 'STALE_CONNECTION';
    if (avoidsBackend(reason.code)) this.#placement.avoid(failed.member);
    if (this.#placement.exhausted) return this.#owner.gaveUp(reason);
    this.#plane.ledger.add('retries', 1);
    this.make();
  }

  #mayRetry(reason: Reason, sent: boolean): boolean {
    const { config, retries } = this.#placement.cluster;
    const { head } = this.#owner.incoming;
    if (isUnprocessed(reason.code, sent)) this.#unprocessed += 1;
    const allowed = mayRetry({
      code: reason.code,
      sent,
      perTry: config.retry.per_try_timeout !== undefined,
      // The handshake of an extended CONNECT (RFC 8441) changes as little as that of a GET.
      method: head.protocol === '' ? head.method : 'GET',
      replayable: this.#upload.replayable,
      made: this.#made,
      unprocessed: this.#unprocessed,
      attempts: config.retry.attempts,
    });
    if (!allowed) return false;
    if (retries.withdraw()) return true;
    this.#plane.ledger.add('retriesRefusedByBudget', 1);
    return false;
  }
}
