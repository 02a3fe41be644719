// Other backends for a WebSocket that may move: chosen as for a request, asked as the first one was, checked against it.

import type { Duplex } from 'node:stream';
import { COOPERATIVE_FIELD, EPOCH_FIELD, RESUME_FIELD, SESSION_FIELD } from '../../core/cooperation.ts';
import { type Fields, fieldValue, hasField, type MutableFields, removeField } from '../../core/fields.ts';
import { signResume } from '../../plan/lease/resume.ts';
import { Outcome } from '../../scoreboard/ports.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import type { AnswerHead, Reason } from '../ports.ts';
import type { LegSource, OpenLeg } from '../websocket/legs.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Plane } from './plane.ts';
import type { Outbound } from './prepare.ts';

/** One choice of the picker may be full; after this many everything is searched. */
const PICK_ROUNDS = 4;

export interface LegFacts {
  readonly cluster: Cluster;
  readonly member: Member;
  /** What the first backend was asked. */
  readonly outbound: Outbound;
  /** What it answered. */
  readonly answer: AnswerHead;
  readonly trace: TraceContext;
  /** uint32 that consistent_hash and maglev place by. */
  readonly key: number;
  /** The connection is at this backend from now on. */
  moved(member: Member): void;
}

/** The backend's 101 says that it answers everything on notice and closes then. */
export const isCooperative = (answer: AnswerHead): boolean =>
  fieldValue(answer.fields, COOPERATIVE_FIELD.toLowerCase()) === '1';

const protocolOf = (answer: AnswerHead): string => fieldValue(answer.fields, 'sec-websocket-protocol') ?? '';

export class ClusterLegs implements LegSource {
  readonly #plane: Plane;
  readonly #facts: LegFacts;
  readonly #protocol: string;
  #member: Member;
  #next: Member | null = null;
  /** Slots that failed for the move under way. */
  readonly #tried: number[] = [];
  #number = 1;

  constructor(plane: Plane, facts: LegFacts) {
    this.#plane = plane;
    this.#facts = facts;
    this.#member = facts.member;
    this.#protocol = protocolOf(facts.answer);
  }

  dial(to: string | null, done: (leg: OpenLeg | string) => void): Disposable {
    const { handshakes } = this.#facts.cluster;
    let underWay: Disposable | null = null;
    const begin = (): boolean => {
      const member = this.#choose(to);
      if (member === null) return false;
      underWay = typeof member === 'string' ? refuse(member, done) : this.#ask(member, done);
      return true;
    };
    if (!begin()) underWay = handshakes.wait(begin);
    return { [Symbol.dispose]: () => underWay![Symbol.dispose]() };
  }

  #ask(member: Member, done: (leg: OpenLeg | string) => void): Disposable {
    const { handshakes } = this.#facts.cluster;
    this.#tried.push(member.slot);
    handshakes.begin(member.slot);
    const dialled = new Dialled(
      this.#protocol,
      leg => {
        if (typeof leg !== 'string') this.#next = member;
        done(leg);
      },
      () => handshakes.end(member.slot),
    );
    const { ledger, clock } = this.#plane;
    this.#number += 1;
    const attempt = new Attempt(dialled, ledger, member, this.#number, clock.wallMs(), clock);
    dialled.begin(attempt, this.#head(member, attempt));
    return dialled;
  }

  switched(): void {
    this.#member = this.#next!;
    this.#facts.moved(this.#member);
  }

  settled(): void {
    this.#tried.length = 0;
    this.#next = null;
  }

  /** A member whose place is taken, or why there is none; null when there may be one in a moment. */
  #choose(to: string | null): Member | string | null {
    const { cluster, key } = this.#facts;
    const { handshakes } = cluster;
    // No request may have come since the board last changed.
    this.#plane.decisions.refresh();
    if (to !== null) {
      const member = cluster.moveTarget(to, this.#member);
      if (typeof member === 'string') return member;
      if (!handshakes.hasRoom(member.slot)) return null;
      return this.#take(member) ? member : `backend ${to} has no place`;
    }
    const full: number[] = [];
    let crowded = false;
    const accepts = (slot: number): boolean => {
      if (slot === this.#member.slot || this.#tried.includes(slot) || full.includes(slot)) return false;
      if (handshakes.hasRoom(slot)) return true;
      crowded = true;
      return false;
    };
    for (let round = 0; round < PICK_ROUNDS; round++) {
      const member = cluster.pick({ key, accepts });
      if (member === null) break;
      if (this.#take(member)) return member;
      full.push(member.slot);
    }
    let found: Member | null = null;
    cluster.findPlace(member => {
      if (!accepts(member.slot) || !this.#take(member)) return false;
      found = member;
      return true;
    });
    if (found === null && (crowded || full.length > 0)) return null;
    return found ?? `cluster ${cluster.name} has no other backend that takes it`;
  }

  #take({ slot, limiter }: Member): boolean {
    const { ledger, decisions } = this.#plane;
    let limit = decisions.concurrency(slot);
    if (limiter !== null) limit = Math.min(limit, decisions.adapted(slot) || limiter.initial);
    return ledger.acquire(slot, limit);
  }

  #head(member: Member, attempt: Attempt) {
    const { outbound, trace } = this.#facts;
    const { clock, compiled } = this.#plane;
    const fields: MutableFields = outbound.fields.slice();
    // The upstream makes a key of its own, and checks the answer to it.
    removeField(fields, 'sec-websocket-key');
    removeField(fields, 'sec-websocket-protocol');
    if (this.#protocol !== '') fields.push('Sec-WebSocket-Protocol', this.#protocol);
    const from = this.#member;
    const resume = {
      session: fieldValue(fields, SESSION_FIELD.toLowerCase())!,
      from: from.id,
      epoch: from.entry.generation,
      atMs: clock.wallMs(),
    };
    fields.push(RESUME_FIELD, signResume(resume, compiled.leaseKey));
    fields.push(EPOCH_FIELD, member.epoch);
    attempt.spanId = trace.inject(fields);
    const { target, host } = outbound;
    return {
      ...{ method: 'GET', target, authority: host, scheme: member.scheme, fields },
      ...({ protocol: 'websocket', bodyLength: 0 } as const),
    };
  }
}

/** Not before `dial` has returned. */
function refuse(why: string, done: (why: string) => void): Disposable {
  let off = false;
  queueMicrotask(() => {
    if (!off) done(why);
  });
  return {
    [Symbol.dispose]() {
      off = true;
    },
  };
}

/** One dial: hears the attempt, and says once what came of it. */
class Dialled implements AttemptOwner, Disposable {
  readonly #protocol: string;
  readonly #done: (leg: OpenLeg | string) => void;
  /** Before `done`, or when it is called off. */
  readonly #ended: () => void;
  #attempt: Attempt | null = null;
  #over = false;

  constructor(protocol: string, done: (leg: OpenLeg | string) => void, ended: () => void) {
    this.#protocol = protocol;
    this.#done = done;
    this.#ended = ended;
  }

  begin(attempt: Attempt, head: Parameters<Attempt['dispatch']>[0]): void {
    this.#attempt = attempt;
    attempt.dispatch(head);
  }

  /** Called off, which is the backend's fault when it has had its time. */
  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#attempt!.abort({ code: 'HEAD_TIMEOUT', detail: 'the move was called off' }, Outcome.cancelled);
  }

  answerHead(head: AnswerHead): void {
    this.#refuse(`backend ${this.#attempt!.member.id} answered ${head.status}`);
  }

  answerUpgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    if (this.#over) return void socket.destroy();
    const { id, slot } = this.#attempt!.member;
    const fault = this.#faultOf(head);
    if (fault !== '') {
      socket.destroy();
      return this.#say(`backend ${id} ${fault}`);
    }
    this.#say({ socket, rest, cooperative: isCooperative(head), backend: id, slot });
  }

  attemptFailed(attempt: Attempt, reason: Reason): void {
    this.#say(
      `backend ${attempt.member.id}: ${reason.code}${reason.detail === '' ? '' : `, ${reason.detail}`}`,
    );
  }

  #faultOf(head: AnswerHead): string {
    const protocol = protocolOf(head);
    if (protocol !== this.#protocol)
      return `chose subprotocol ${protocol || 'none'}, the connection has ${this.#protocol || 'none'}`;
    return hasField(head.fields, 'sec-websocket-extensions') ? 'chose an extension that nobody offered' : '';
  }

  #refuse(why: string): void {
    if (this.#over) return;
    this.#say(why);
    this.#attempt!.abort({ code: 'UPGRADE_REFUSED', detail: why }, Outcome.success);
  }

  #say(leg: OpenLeg | string): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#done(leg);
  }

  answerInformational(): void {}
  answerData(): void {}
  bodyWritable(): void {}
  answerEnd(_trailers?: Fields): void {}
  attemptSettled(): void {}
}
