// One try at one backend: keeps its account on the scoreboard and passes the answer to the exchange.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import type { Ending } from '../../plan/balance/learner.ts';
import { Outcome, type OutcomeCode, type WorkerLedger } from '../../scoreboard/ports.ts';
import type { Member } from '../cluster/member.ts';
import type { Seat } from '../cluster/seat.ts';
import type { AnswerHead, AnswerSink, Outgoing, Reason, UpstreamHead } from '../ports.ts';

/** What the exchange hears of its attempt. */
export interface AttemptOwner {
  answerInformational(head: AnswerHead): void;
  answerHead(head: AnswerHead): void;
  answerData(chunk: Uint8Array): void;
  bodyWritable(): void;
  answerEnd(trailers?: Fields): void;
  answerUpgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void;
  attemptFailed(attempt: Attempt, reason: Reason, sent: boolean): void;
  /** The account is closed: for the span and the access log. */
  attemptSettled(attempt: Attempt, code: ErrorCode | ''): void;
}

/** These say nothing about the backend: neither a client's fault nor a lack of ours may count against it. */
const NOT_ITS_FAULT = new Set<ErrorCode>([
  'BAD_REQUEST',
  'STALE_CONNECTION',
  'TOO_MANY_CONNECTIONS',
  'NO_BACKEND',
  'INTERNAL',
]);

/** What a policy that learns is told: a status 500 is no answer either, however fast it came. */
const ENDINGS: Readonly<Record<OutcomeCode, Ending>> = {
  [Outcome.success]: 'success',
  [Outcome.serverError]: 'failure',
  [Outcome.gatewayError]: 'failure',
  [Outcome.failure]: 'failure',
  [Outcome.cancelled]: 'cancelled',
};

export class Attempt implements AnswerSink {
  readonly member: Member;
  /** 1 for the first. */
  readonly number: number;
  /** Unix ms. */
  readonly startMs: number;
  /** Of its client span. */
  spanId = '';
  status = 0;
  readonly #owner: AttemptOwner;
  readonly #ledger: WorkerLedger;
  /** Of the time when it began: what it tells belongs there, whoever sits there later. */
  readonly #seat: Seat | null;
  readonly #startedMs: number;
  readonly #clock: Clock;
  #headMs = -1;
  #bytesIn = 0;
  #bytesOut = 0;
  #open = true;
  /** The backend has all of the request, and nothing of its answer has come. */
  #due = false;
  #outgoing: Outgoing | null = null;

  constructor(
    owner: AttemptOwner,
    ledger: WorkerLedger,
    member: Member,
    number: number,
    startMs: number,
    clock: Clock,
  ) {
    this.#owner = owner;
    this.#ledger = ledger;
    this.member = member;
    this.number = number;
    this.startMs = startMs;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    ledger.begin(member.slot);
    this.#seat = member.seat;
    this.#seat?.started();
  }

  /** False once the account is closed. */
  get open(): boolean {
    return this.#open;
  }

  dispatch(head: UpstreamHead): void {
    this.#outgoing = this.member.upstream.open(head, this);
    if (head.bodyLength === 0) this.#asked(this.#startedMs);
  }

  write(chunk: Uint8Array): boolean {
    this.#bytesIn += chunk.length;
    return this.#outgoing?.write(chunk) ?? true;
  }

  endBody(trailers?: Fields): void {
    this.#outgoing?.end(trailers);
    this.#asked();
  }

  pause(): void {
    this.#outgoing?.pause();
  }

  resume(): void {
    this.#outgoing?.resume();
  }

  /** Ends the try without an answer; `outcome` says whether the backend is to blame. */
  abort(reason: Reason, outcome: OutcomeCode): void {
    if (!this.#open) return;
    this.#settle(outcome, reason.code);
    this.#outgoing?.abort(reason);
  }

  informational(head: AnswerHead): void {
    this.#owner.answerInformational(head);
  }

  head(head: AnswerHead): void {
    this.status = head.status;
    this.#headMs = this.#clock.monotonicMs();
    this.#answered();
    this.member.orca?.heard(this.member, head.fields);
    this.#owner.answerHead(head);
  }

  data(chunk: Uint8Array): void {
    this.#bytesOut += chunk.length;
    this.#owner.answerData(chunk);
  }

  writable(): void {
    this.#owner.bodyWritable();
  }

  end(trailers?: Fields): void {
    if (trailers !== undefined) this.member.orca?.heard(this.member, trailers);
    this.#settle(outcomeOf(this.status), '');
    this.#owner.answerEnd(trailers);
  }

  upgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    this.status = head.status;
    this.#headMs = this.#clock.monotonicMs();
    this.#answered();
    this.member.orca?.heard(this.member, head.fields);
    this.#settle(Outcome.success, '');
    this.#owner.answerUpgraded(head, socket, rest);
  }

  fail(reason: Reason, sent: boolean): void {
    this.#settle(NOT_ITS_FAULT.has(reason.code) ? Outcome.cancelled : Outcome.failure, reason.code);
    this.#owner.attemptFailed(this, reason, sent);
  }

  /** Once; what the client has still to send is not the backend's to answer, and answers that have begun take their time. */
  #asked(nowMs = this.#clock.monotonicMs()): void {
    if (this.#due || this.#headMs >= 0 || !this.#open) return;
    this.#due = true;
    this.#ledger.asked(this.member.slot, nowMs);
  }

  #answered(): void {
    this.#ledger.answered(this.member.slot, this.#due, this.#headMs);
    this.#due = false;
  }

  #settle(outcome: OutcomeCode, code: ErrorCode | ''): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#due) {
      this.#due = false;
      this.#ledger.unanswered(this.member.slot);
    }
    const latencyMs =
      this.#headMs < 0 ? this.#clock.monotonicMs() - this.#startedMs : this.#headMs - this.#startedMs;
    this.#ledger.settle(this.member.slot, outcome, latencyMs);
    this.#seat?.finished(ENDINGS[outcome], latencyMs);
    if (this.#bytesIn + this.#bytesOut > 0)
      this.#ledger.carried(this.member.slot, this.#bytesIn, this.#bytesOut);
    const { limiter } = this.member;
    if (limiter !== null)
      this.#ledger.adapt(this.member.slot, this.member.slotGeneration, limiter, outcome, latencyMs);
    this.#ledger.release(this.member.slot);
    this.#owner.attemptSettled(this, code);
  }
}

/** 502 to 504 are what a proxy or server says that could not do its work: they count as failures in a row. */
function outcomeOf(status: number): OutcomeCode {
  if (status < 500) return Outcome.success;
  return status >= 502 && status <= 504 ? Outcome.gatewayError : Outcome.serverError;
}
