// The fields for a backend, made once for a field section that comes again on its connection.
//
// What is reused is what follows from the section alone, for one route of one configuration. The request line, the lease, the
// request id, the trace context and all limits are looked at with each request.

import type { Fields, MutableFields } from '../../core/fields.ts';
import { hasField } from '../../core/fields.ts';
import type { OrcaIntake } from '../cluster/orca-intake.ts';
import type { RequestHygiene } from '../hygiene/request-fields.ts';
import type { KnownFields, RequestHead } from '../ports.ts';
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

interface ClusterFields {
  readonly carrier: object | null;
  readonly orca: OrcaIntake | null;
}
