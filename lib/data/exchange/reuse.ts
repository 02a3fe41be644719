// The fields for a backend and for a client, made once for a field section that comes again on its connection.
//
// What is reused is what follows from the section alone, for one route of one configuration. The request line, the lease, the
// request id, the trace context and all limits are looked at with each request.

import type { Fields, MutableFields } from '../../core/fields.ts';
import { hasField } from '../../core/fields.ts';
import type { OrcaIntake } from '../cluster/orca-intake.ts';
import type { AnswerHygiene } from '../hygiene/answer-fields.ts';
import type { RequestHygiene } from '../hygiene/request-fields.ts';
import type { AnswerHead, KnownFields, RequestHead } from '../ports.ts';
import type { CompiledRoute } from '../router/route.ts';

/** An attempt replaces these, or shortens them: a section that has one is made anew each time. */
const OF_AN_ATTEMPT = ['traceparent', 'tracestate', 'grpc-timeout'] as const;

/** Kept with the section (`RequestHead.memo`): what was made of it, and for whom. */
export class ReusedFields implements KnownFields {
  readonly fields: Fields;
  lines: string | null = null;
  readonly #hygiene: RequestHygiene;
  readonly #route: CompiledRoute;
  readonly #orca: OrcaIntake | null;
  readonly #carrier: object | null;
  readonly #host: string;
  readonly #method: string;
  readonly #version: string;

  private constructor(
    fields: Fields,
    hygiene: RequestHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
    host: string,
    head: RequestHead,
  ) {
    this.fields = fields;
    this.#hygiene = hygiene;
    this.#route = route;
    this.#carrier = cluster.carrier;
    this.#orca = cluster.orca;
    this.#host = host;
    this.#method = head.method;
    this.#version = head.version;
  }

  /** What was made of the section before, if it was made for the same; else null. */
  static of(
    head: RequestHead,
    hygiene: RequestHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
    host: string,
  ): ReusedFields | null {
    const made = head.memo?.made;
    if (!(made instanceof ReusedFields)) return null;
    // A new configuration has its own hygiene and its own routes; what a cluster adds may change without them.
    const same =
      made.#hygiene === hygiene &&
      made.#route === route &&
      made.#carrier === cluster.carrier &&
      made.#orca === cluster.orca &&
      made.#host === host &&
      made.#method === head.method &&
      made.#version === head.version;
    return same ? made : null;
  }

  /** Keeps what was made, without the id, for when the section comes again. Edits of the route may touch anything, so such a route has none. */
  static keep(
    made: Fields,
    idField: string,
    head: RequestHead,
    hygiene: RequestHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
    host: string,
  ): void {
    if (head.memo == null || head.protocol !== '' || route.requestEdits !== null) return;
    if (OF_AN_ATTEMPT.some(name => hasField(made, name))) return;
    const fields: MutableFields = [];
    for (let i = 0; i < made.length; i += 2) if (made[i] !== idField) fields.push(made[i]!, made[i + 1]!);
    head.memo.made = new ReusedFields(fields, hygiene, route, cluster, host, head);
  }

  /** With the id of this request. */
  withId(idField: string, requestId: string): MutableFields {
    const fields = this.fields.slice();
    fields.push(idField, requestId);
    return fields;
  }
}

/** The fields for clients, made once for an answer's fields that come again. Not for a client that is given a lease. */
export class ReusedAnswer implements KnownFields {
  readonly fields: Fields;
  lines: string | null = null;
  readonly #answers: AnswerHygiene;
  readonly #route: CompiledRoute;
  readonly #orca: OrcaIntake | null;
  readonly #carrier: object | null;
  /** The Date that was added; empty when the backend gave one. */
  readonly #date: string;

  private constructor(
    fields: Fields,
    answers: AnswerHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
    date: string,
  ) {
    this.fields = fields;
    this.#answers = answers;
    this.#route = route;
    this.#carrier = cluster.carrier;
    this.#orca = cluster.orca;
    this.#date = date;
  }

  /** What was made of the fields before, if it was made for the same; else null. */
  static of(
    head: AnswerHead,
    answers: AnswerHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
  ): ReusedAnswer | null {
    const made = head.memo?.made;
    if (!(made instanceof ReusedAnswer)) return null;
    const same =
      made.#answers === answers &&
      made.#route === route &&
      made.#carrier === cluster.carrier &&
      made.#orca === cluster.orca &&
      (made.#date === '' || made.#date === answers.date());
    return same ? made : null;
  }

  /** Keeps them for when they come again. */
  static keep(
    fields: Fields,
    { memo, fields: received }: AnswerHead,
    answers: AnswerHygiene,
    route: CompiledRoute,
    cluster: ClusterFields,
  ): ReusedAnswer {
    const date = hasField(received, 'date') ? '' : answers.date();
    const made = new ReusedAnswer(fields, answers, route, cluster, date);
    memo!.made = made;
    return made;
  }
}

interface ClusterFields {
  readonly carrier: object | null;
  readonly orca: OrcaIntake | null;
}
