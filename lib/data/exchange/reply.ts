// What the client is told: a backend's answer, the proxy's own, or a connection that breaks.

import type { Fields } from '../../core/fields.ts';
import { isGrpc, isTrailersOnly } from '../hygiene/grpc.ts';
import { forwardTrailers } from '../hygiene/trailers.ts';
import type { Incoming, KnownFields, Reason } from '../ports.ts';
import { grpcTrailers, type OwnAnswer } from '../router/answers.ts';
import type { Account } from './account.ts';
import type { Plane } from './plane.ts';

export class Reply {
  readonly #plane: Plane;
  readonly #incoming: Incoming;
  readonly #account: Account;
  #begun = false;

  constructor(plane: Plane, incoming: Incoming, account: Account) {
    this.#plane = plane;
    this.#incoming = incoming;
    this.#account = account;
  }

  /** The client has heard a final head, or somebody else tells it. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Somebody else answers from here on. */
  handOver(): void {
    this.#begun = true;
  }

  /** The head of a backend's answer, with the fields as the client is to see them. */
  head(status: number, received: Fields, fields: Fields, known: KnownFields | null): void {
    const { head } = this.#incoming;
    this.#begun = true;
    this.#account.answered(status);
    const bodyless = head.method === 'HEAD' || status === 204 || status === 304;
    // gRPC clients look for such a status only in a head that ends the stream.
    const whole = bodyless || (head.version === '2' && isTrailersOnly(received));
    this.#incoming.answer({ status, fields, known }, whole);
  }

  /** False when the client takes no more for now. */
  write(chunk: Uint8Array): boolean {
    this.#account.bytesOut += chunk.length;
    return this.#incoming.write(chunk);
  }

  end(trailers: Fields | undefined): void {
    this.#incoming.end(trailers === undefined ? undefined : forwardTrailers(trailers));
  }

  /** The whole of an answer that is the proxy's own. */
  own(answer: OwnAnswer): void {
    const { body } = answer;
    this.#begun = true;
    this.#account.answered(answer.status);
    answer.fields.push('Date', this.#plane.compiled.answers.date());
    this.#incoming.answer(answer, body.length === 0);
    if (body.length > 0) this.write(body);
    this.#incoming.end();
  }

  /** Ends an answer of which a part is told already. False when it could be told, and is to be heard out. */
  cut(reason: Reason): boolean {
    const { head } = this.#incoming;
    this.#account.fail(reason);
    // A gRPC client understands a status in the trailers; everyone else must see the connection or stream break.
    if (head.version === '2' && isGrpc(head.fields)) {
      this.#incoming.end(grpcTrailers(reason.code));
      return false;
    }
    this.#incoming.abort(reason);
    return true;
  }
}
