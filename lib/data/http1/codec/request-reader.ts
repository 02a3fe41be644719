// Requests out of the bytes of one connection: fed with reads of any size, asked step by step. States: see README.
//
// Nothing is called back and nothing thrown, so whoever asks may stop at any step: the rest waits in here.

import { isRefusal, type Refusal, refusal } from '../../listener/refusal.ts';
import type { RequestHead } from '../../ports.ts';
import { type HeadLimits, judgeHead } from '../head.ts';
import { BodyReader } from './body-reader.ts';
import { Fed } from './fed.ts';
import type { Framing } from './framing.ts';
import { HeadReader } from './head-reader.ts';
import type { ScanLimits } from './scan.ts';

/**
 * `more`: everything fed has been read. `head`: `head` is the next request. `data`: `chunk` is its next piece. `end`: the
 * request is whole, `trailers` may be set. `bad`: `refusal` says why, and nothing is read any more.
 */
export type Step = 'more' | 'head' | 'data' | 'end' | 'bad';

const R_HEAD = 0;
const R_BODY = 1;
const R_BAD = 2;
const R_UPGRADED = 3;

export interface LimitsNow {
  /** Read anew for each request: a reload replaces them. */
  readonly limits: HeadLimits;
}

export class RequestReader extends Fed {
  head: RequestHead | null = null;
  refusal: Refusal | null = null;
  /** Its client wants the connection to end with this request. */
  lastOne = false;
  readonly #scheme: 'http' | 'https';
  readonly #now: LimitsNow;
  readonly #heads: HeadReader;
  readonly #body = new BodyReader();
  #limits: HeadLimits;
  #scanLimits: ScanLimits;
  #state = R_HEAD;

  constructor(scheme: 'http' | 'https', now: LimitsNow) {
    super();
    this.#scheme = scheme;
    this.#now = now;
    this.#limits = now.limits;
    this.#scanLimits = scanLimits(now.limits);
    this.#heads = new HeadReader('request', this.#scanLimits);
  }

  get trailers(): readonly string[] | undefined {
    return this.#body.trailers;
  }

  /** Between two requests, and nothing of the next has come. */
  get atRest(): boolean {
    return this.#state === R_HEAD && !this.#heads.begun && this.unread === 0;
  }

  next(): Step {
    switch (this.#state) {
      case R_HEAD:
        return this.#nextHead();
      case R_BODY:
        return this.#nextOfBody();
      case R_BAD:
        return 'bad';
      default:
        return 'more';
    }
  }

  #nextHead(): Step {
    if (this.at === this.bytes.length) return 'more';
    if (this.#limits !== this.#now.limits && !this.#heads.begun) {
      this.#limits = this.#now.limits;
      this.#scanLimits = scanLimits(this.#limits);
    }
    const heads = this.#heads;
    const scanned = heads.read(this.bytes, this.at, this.#scanLimits);
    this.at = heads.position;
    if (scanned === 'more') {
      this.drop();
      return 'more';
    }
    const { scanner } = heads;
    if (scanned === 'bad') {
      const code =
        scanner.faultKind === 'target'
          ? 'URI_TOO_LONG'
          : scanner.faultKind === 'fields'
            ? 'HEAD_TOO_LARGE'
            : 'BAD_REQUEST';
      return this.#refuse(refusal(code, scanner.fault));
    }
    const line = heads.text(scanner.methodStart, scanner.targetEnd);
    const methodLength = scanner.methodEnd - scanner.methodStart;
    const method = line.slice(0, methodLength);
    const { fields, framing, memo } = heads.block!;
    const upgraded = framing.protocols === 'websocket' && asksForUpgrade(method, scanner.minor, framing);
    const target = line.slice(methodLength + 1);
    const head = judgeHead(
      method,
      target,
      scanner.minor,
      fields,
      framing,
      upgraded,
      this.#scheme,
      this.#limits,
      memo,
    );
    if (isRefusal(head)) {
      this.method = method;
      return this.#refuse(head);
    }
    this.head = head;
    this.method = method;
    this.lastOne = scanner.minor === 0 || framing.close;
    if (upgraded) this.#state = R_UPGRADED;
    else {
      this.#state = R_BODY;
      this.#body.begin(head.bodyLength);
    }
    return 'head';
  }

  /** Of the last head that was whole, refused or not. */
  method = '';

  #nextOfBody(): Step {
    const body = this.#body;
    const step = body.read(this.bytes, this.at, this.#scanLimits);
    this.at = body.position;
    switch (step) {
      case 'data':
        this.chunk = this.bytes.subarray(body.from, body.to);
        return step;
      case 'end':
        this.#state = R_HEAD;
        this.release();
        return step;
      case 'bad':
        return this.#refuse(
          refusal(
            body.faultKind === 'syntax'
              ? 'BAD_REQUEST'
              : body.faultKind === 'trailers'
                ? 'HEAD_TOO_LARGE'
                : 'BODY_TOO_LARGE',
            body.fault,
          ),
        );
      default:
        this.release();
        return step;
    }
  }

  #refuse(refused: Refusal): 'bad' {
    this.#state = R_BAD;
    this.refusal = refused;
    this.drop();
    return 'bad';
  }
}

/** Only a plain GET of HTTP/1.1 may become a tunnel; any other Upgrade is ignored (RFC 9110, section 7.8). */
const asksForUpgrade = (method: string, minor: number, framing: Framing): boolean =>
  method === 'GET' && minor === 1 && framing.upgrade;

const scanLimits = (limits: HeadLimits): ScanLimits => ({
  targetBytes: limits.uri_bytes,
  fieldBytes: limits.header_bytes,
  fields: limits.header_count,
});
