// One call of leaseway.v1: its body collected, its answer written at the client's pace, its account kept.

import type { MutableFields } from '../../core/fields.ts';
import { Account } from '../exchange/account.ts';
import type { Plane } from '../exchange/plane.ts';
import { owned } from '../lent.ts';
import type { Incoming, Reason, RequestSink } from '../ports.ts';
import { errorAnswer } from '../router/answers.ts';
import type { LeaseService, ServiceAnswer } from './ports.ts';

/** Its messages are a token and a path. */
const MAX_BODY_BYTES = 16_384;
/** No application of the operator has this name. */
const PREFIX = '/leaseway.v1.';

export const isLeaseCall = (target: string): boolean => target.startsWith(PREFIX);

export class LeaseCall implements RequestSink {
  readonly #plane: Plane;
  readonly #incoming: Incoming;
  readonly #service: LeaseService;
  readonly #account: Account;
  readonly #gone = new AbortController();
  readonly #chunks: Uint8Array[] = [];
  #begun = false;
  #over = false;
  #drained: (() => void) | null = null;

  constructor(plane: Plane, incoming: Incoming, service: LeaseService) {
    this.#plane = plane;
    this.#incoming = incoming;
    this.#service = service;
    this.#account = new Account(plane, incoming, plane.tracer.begin(incoming.head.fields));
  }

  begin(): void {
    const { incoming, account, plane } = this.#view;
    incoming.listen(this);
    if (plane.draining) incoming.closeAfter();
    const caller = plane.compiled.requests.caller(incoming.connection, incoming.head);
    account.client = caller.address;
    account.requestId = caller.requestId;
    if (incoming.head.expectsContinue) incoming.continue();
  }

  data(chunk: Uint8Array): void {
    this.#account.bytesIn += chunk.length;
    if (this.#begun) return;
    if (this.#account.bytesIn <= MAX_BODY_BYTES) return void this.#chunks.push(owned(chunk));
    this.#begun = true;
    const reason = { code: 'BODY_TOO_LARGE', detail: `over ${MAX_BODY_BYTES} bytes` } as const;
    this.#account.fail(reason);
    const { incoming, plane, account } = this.#view;
    const answer = errorAnswer(reason.code, incoming.head, account.requestId);
    answer.fields.push('Date', plane.compiled.answers.date());
    account.answered(answer.status);
    incoming.answer(answer, answer.body.length === 0);
    if (answer.body.length > 0) incoming.write(answer.body);
    incoming.end();
  }

  end(): void {
    if (this.#begun) return;
    this.#begun = true;
    void this.#serve();
  }

  drained(): void {
    this.#drained?.();
  }

  gone(reason: Reason): void {
    this.#account.fail(reason, 499);
    this.#finish();
  }

  sent(): void {
    this.#finish();
  }

  get #view() {
    return { incoming: this.#incoming, account: this.#account, plane: this.#plane };
  }

  async #serve(): Promise<void> {
    const { incoming, plane } = this.#view;
    const { head } = incoming;
    const cut = head.target.indexOf('?');
    const path = cut < 0 ? head.target : head.target.slice(0, cut);
    try {
      await this.#answer(
        await this.#service({ asked: incoming, path, body: joined(this.#chunks), signal: this.#gone.signal }),
      );
    } catch (error) {
      if (this.#over) return;
      plane.log.error('a call of the lease service failed', { path, reason: String(error) });
      const reason = { code: 'INTERNAL', detail: String(error) } as const;
      this.#account.fail(reason);
      incoming.abort(reason);
      this.#finish();
    }
  }

  async #answer({ status, header, body, trailer }: ServiceAnswer): Promise<void> {
    if (this.#over) return;
    const { incoming, account, plane } = this.#view;
    const fields = fieldsOf(header);
    fields.push('Date', plane.compiled.answers.date(), 'Cache-Control', 'no-store');
    account.answered(status);
    incoming.answer({ status, fields }, body === undefined && trailer === undefined);
    for await (const chunk of body ?? []) {
      if (this.#over) return;
      account.bytesOut += chunk.length;
      if (!incoming.write(chunk)) await this.#whenDrained();
    }
    if (this.#over) return;
    const trailers = fieldsOf(trailer);
    incoming.end(trailers.length === 0 ? undefined : trailers);
  }

  #whenDrained(): Promise<void> {
    return new Promise(resolve => {
      this.#drained = resolve;
    });
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone.abort();
    this.#drained?.();
    this.#account.close();
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function fieldsOf(headers: Headers | undefined): MutableFields {
  const fields: MutableFields = [];
  for (const [name, value] of headers ?? []) fields.push(name, value);
  return fields;
}
