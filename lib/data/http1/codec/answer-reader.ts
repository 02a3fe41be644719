// Answers out of the bytes of one backend connection: told what was asked, fed with reads of any size, asked step by step.

import type { Fields } from '../../../core/fields.ts';
import { BodyReader, UNTIL_CLOSE } from './body-reader.ts';
import { Fed } from './fed.ts';
import { HeadReader } from './head-reader.ts';
import type { ScanLimits } from './scan.ts';

/**
 * `head`: `status` and `fields` of an interim or the final answer. `data`: `chunk` is the next piece of its body. `end`: the
 * answer is whole. `bad`: `fault` says why. `cut`: the connection ended before the answer did.
 */
export type AnswerStep = 'more' | 'head' | 'data' | 'end' | 'bad';

const A_HEAD = 0;
const A_BODY = 1;
const A_BAD = 2;
const A_UPGRADED = 3;
/** Nothing was asked, so nothing may come. */
const A_IDLE = 4;

/** Of an answer's head, and of its trailers. */
const LIMITS: ScanLimits = { targetBytes: 0, fieldBytes: 64 * 1024, fields: 256 };

export class AnswerReader extends Fed {
  status = 0;
  fields: Fields = [];
  fault = '';
  /** The connection may carry another request once this answer has ended. */
  keepAlive = false;
  /** Its Keep-Alive field, or empty. */
  keepAliveHint = '';
  readonly #heads = new HeadReader('answer', LIMITS);
  readonly #body = new BodyReader();
  #state = A_IDLE;
  #headOnly = false;
  #upgrade = false;
  #begun = false;

  /** A request was sent: `headOnly` for HEAD, `upgrade` when 101 may come. */
  begin(headOnly: boolean, upgrade: boolean): void {
    this.#state = A_HEAD;
    this.#headOnly = headOnly;
    this.#upgrade = upgrade;
    this.#begun = false;
  }

  /** A byte of the answer has come. */
  get begun(): boolean {
    return this.#begun;
  }

  get trailers(): Fields | undefined {
    return this.#body.trailers;
  }

  override feed(bytes: Buffer): void {
    this.#begun = true;
    super.feed(bytes);
  }

  next(): AnswerStep {
    switch (this.#state) {
      case A_HEAD:
        return this.#nextHead();
      case A_BODY:
        return this.#nextOfBody();
      case A_BAD:
        return 'bad';
      case A_IDLE:
        return this.unread > 0 ? this.#bad('bytes that nobody asked for') : 'more';
      default:
        return 'more';
    }
  }

  /** The connection has ended in order, and all that was fed has been read: `end` when that ends the answer, else `more`. */
  finish(): AnswerStep {
    if (this.#state !== A_BODY || !this.#body.untilClose) return 'more';
    this.#state = A_IDLE;
    return 'end';
  }

  #nextHead(): AnswerStep {
    if (this.at === this.bytes.length) return 'more';
    const heads = this.#heads;
    const scanned = heads.read(this.bytes, this.at, LIMITS);
    this.at = heads.position;
    if (scanned === 'more') {
      this.drop();
      return 'more';
    }
    if (scanned === 'bad') return this.#bad(heads.scanner.fault);
    const { status, minor } = heads.scanner;
    const { fields, framing } = heads.block!;
    const fault = framing.bodyFault(minor === 1);
    if (fault !== '') return this.#bad(fault);
    this.status = status;
    this.fields = fields;
    if (status < 200 && minor === 0) return this.#bad('an interim answer in HTTP/1.0');
    if (status < 200) return this.#interim(status, framing.upgrade && framing.protocols === 'websocket');
    this.keepAlive = minor === 1 ? !framing.close : framing.keepAlive && !framing.close;
    this.keepAliveHint = framing.keepAliveHint;
    const length = this.#headOnly || status === 204 || status === 304 ? 0 : framing.bodyLength;
    if (length === UNTIL_CLOSE) this.keepAlive = false;
    this.#state = A_BODY;
    this.#body.begin(length);
    return 'head';
  }

  #interim(status: number, toWebSocket: boolean): AnswerStep {
    if (status !== 101) return 'head';
    if (!this.#upgrade) return this.#bad('101 that nobody asked for');
    if (!toWebSocket) return this.#bad('101 to something other than WebSocket');
    this.#state = A_UPGRADED;
    return 'head';
  }

  #nextOfBody(): AnswerStep {
    const body = this.#body;
    const step = body.read(this.bytes, this.at, LIMITS);
    this.at = body.position;
    if (step === 'bad') return this.#bad(body.fault);
    if (step === 'data') this.chunk = this.bytes.subarray(body.from, body.to);
    else {
      if (step === 'end') this.#state = A_IDLE;
      this.release();
    }
    return step;
  }

  #bad(fault: string): 'bad' {
    this.#state = A_BAD;
    this.fault = fault;
    this.drop();
    return 'bad';
  }
}
