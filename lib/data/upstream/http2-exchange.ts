// One request over HTTP/2: a stream on one side, our Outgoing on the other.

import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2';
import { type ErrorCode, messageOf } from '../../core/errors.ts';
import { type Fields, type MutableFields, NO_FIELDS, nameIs } from '../../core/fields.ts';
import { owned } from '../lent.ts';
import type { AnswerSink, Outgoing, Reason, UpstreamHead } from '../ports.ts';
import { siftAnswerFields } from './answer-fields.ts';
import { lackOf, promisedBytes, resetFailure } from './http2-finish.ts';
import type { Http2Link } from './http2-link.ts';
import { withAccept } from './websocket-key.ts';

const MAX_INFORMATIONAL = 32;
const NOTHING = new Uint8Array(0);

export class Http2Exchange implements Outgoing {
  readonly #link: Http2Link;
  readonly #sink: AnswerSink;
  readonly #head: UpstreamHead;
  #stream: ClientHttp2Stream | null = null;
  #over = false;
  #status = 0;
  #fields: Fields = NO_FIELDS;
  #trailers: Fields = NO_FIELDS;
  #requestTrailers: Fields | undefined;
  #promised = -1;
  #received = 0;
  #informational = 0;
  #endStream = false;
  #waiting = false;
  #paused = false;
  #reused = false;
  #error: Error | null = null;

  constructor(link: Http2Link, head: UpstreamHead, sink: AnswerSink) {
    this.#link = link;
    this.#sink = sink;
    this.#head = head;
    const upgrade = head.protocol === 'websocket';
    this.#reused = link.carried > 0;
    if (upgrade && !link.extendedConnect) {
      this.#refuseLater('BAD_ANSWER', 'the backend offers no WebSocket over HTTP/2 (RFC 8441)');
      return;
    }
    try {
      this.#stream = link.request(requestFields(head), !upgrade && head.bodyLength === 0);
      this.#listen(this.#stream);
    } catch (error) {
      this.#refuseLater('BAD_REQUEST', messageOf(error));
    }
  }

  // Outgoing

  write(chunk: Uint8Array): boolean {
    if (this.#over || this.#stream === null) return true;
    const more = this.#stream.write(owned(chunk));
    if (!more) this.#waiting = true;
    return more;
  }

  end(trailers?: Fields): void {
    // The stream of a WebSocket stays open: it ends with the tunnel.
    if (this.#over || this.#head.protocol === 'websocket') return;
    this.#requestTrailers = trailers;
    this.#stream?.end();
  }

  pause(): void {
    this.#paused = true;
    if (!this.#over && this.#status !== 0) this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    // Before the head a resumed stream would lose what nobody listens to yet.
    if (!this.#over && this.#status !== 0) this.#stream?.resume();
  }

  abort(_reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  #listen(stream: ClientHttp2Stream): void {
    watchEndStream(stream, closed => {
      if (!closed) this.#endStream = true;
      // Without a head nobody reads, and a stream that is not read never closes.
      if (this.#status === 0) stream.resume();
    });
    stream.on('headers', (_object, _flags, raw) => this.#onInformational(raw as unknown as string[]));
    stream.on('response', (_object, _flags, raw) => this.#onHead(stream, raw as unknown as string[]));
    stream.on('trailers', (_object, _flags, raw) => {
      this.#trailers = siftAnswerFields(raw as unknown as string[]).fields;
    });
    stream.on('wantTrailers', () => sendTrailers(stream, this.#requestTrailers));
    stream.on('drain', () => {
      if (this.#over || !this.#waiting) return;
      this.#waiting = false;
      this.#sink.writable();
    });
    // `close` follows and has the code.
    stream.on('error', error => {
      this.#error = error;
    });
    stream.on('close', () => this.#onClose(stream));
  }

  #onInformational(raw: readonly string[]): void {
    if (this.#over) return;
    const status = statusOf(raw);
    if (status === 100 || Number.isNaN(status)) return;
    this.#informational += 1;
    if (status === 101 || this.#informational > MAX_INFORMATIONAL) {
      this.#fail({ code: 'BAD_ANSWER', detail: 'interim answers that may not be' }, true);
      return;
    }
    this.#sink.informational({ status, fields: siftAnswerFields(raw).fields });
  }

  #onHead(stream: ClientHttp2Stream, raw: readonly string[]): void {
    if (this.#over || this.#status !== 0) return;
    this.#status = statusOf(raw);
    this.#fields = siftAnswerFields(raw).fields;
    if (this.#head.protocol === 'websocket' && this.#status >= 200 && this.#status < 300) {
      this.#onAccepted(stream);
      return;
    }
    this.#promised = promisedBytes(this.#head.method, this.#status, this.#fields);
    // A refused WebSocket has no body of ours to wait for.
    if (this.#head.protocol === 'websocket') stream.end();
    stream.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      if (!this.#over) this.#sink.data(chunk);
    });
    stream.on('end', () => this.#onEnd(stream));
    if (this.#paused) stream.pause();
    this.#sink.head({ status: this.#status, fields: this.#fields });
  }

  #onAccepted(stream: ClientHttp2Stream): void {
    this.#over = true;
    const fields = withAccept(this.#fields, this.#head.fields);
    this.#sink.upgraded({ status: 101, fields }, stream, NOTHING);
  }

  /** The whole answer has been read. While our body still flows, `close` would wait for it: RFC 9113, section 8.1 lets the answer end before. */
  #onEnd(stream: ClientHttp2Stream): void {
    if (this.#over || !this.#endStream || stream.writableFinished) return;
    this.#finish();
    stream.close(constants.NGHTTP2_CANCEL);
  }

  #onClose(stream: ClientHttp2Stream): void {
    this.#link.release();
    if (this.#over) return;
    const rstCode = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
    if (this.#status !== 0 && rstCode === constants.NGHTTP2_NO_ERROR) {
      this.#finish();
      return;
    }
    const { reason, sent } = resetFailure({
      rstCode,
      headSeen: this.#status !== 0,
      neverProcessed: this.#link.refused(stream.id),
      stale: this.#reused && !this.#link.connected,
      connection: this.#connectionFailure(),
    });
    this.#fail(reason, sent);
  }

  /** The stream hears of a protocol error before its session does. */
  #connectionFailure(): Reason | null {
    const { failure } = this.#link;
    if (failure !== null) return { code: failure.code, detail: failure.detail };
    const code = (this.#error as NodeJS.ErrnoException | null)?.code;
    return code === 'ERR_HTTP2_ERROR' ? { code: 'BAD_ANSWER', detail: this.#error!.message } : null;
  }

  #finish(): void {
    const lack = lackOf({
      status: this.#status,
      fields: this.#fields,
      trailers: this.#trailers,
      promised: this.#promised,
      received: this.#received,
      endStream: this.#endStream,
    });
    if (lack !== '') {
      this.#fail({ code: 'ANSWER_CUT', detail: lack }, true);
      return;
    }
    this.#over = true;
    if (this.#trailers.length > 0) this.#sink.end(this.#trailers);
    else this.#sink.end();
  }

  #fail(reason: Reason, sent: boolean): void {
    this.#over = true;
    if (this.#stream?.closed === false) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#sink.fail(reason, sent);
  }

  #refuseLater(code: ErrorCode, detail: string): void {
    queueMicrotask(() => {
      if (this.#over) return;
      this.#over = true;
      this.#sink.fail({ code, detail }, false);
    });
  }
}

/**
 * node:http2 ends the readable side for END_STREAM and for RST_STREAM(NO_ERROR) alike; only in the first case is the
 * stream still open as the end is pushed. There is no event that tells them apart.
 */
function watchEndStream(stream: ClientHttp2Stream, ended: (closed: boolean) => void): void {
  const push = stream.push;
  stream.push = (chunk, encoding) => {
    if (chunk === null) ended(stream.closed);
    return push.call(stream, chunk, encoding);
  };
}

function requestFields(head: UpstreamHead): string[] {
  const upgrade = head.protocol === 'websocket';
  const fields: MutableFields = [':method', upgrade ? 'CONNECT' : head.method];
  if (upgrade) fields.push(':protocol', 'websocket');
  fields.push(':scheme', head.scheme, ':authority', head.authority, ':path', head.target);
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!;
    if (nameIs(name, 'host') || (upgrade && nameIs(name, 'sec-websocket-key'))) continue;
    fields.push(name.toLowerCase(), head.fields[i + 1]!);
  }
  return fields;
}

const statusOf = (raw: readonly string[]): number => {
  for (let i = 0; i < raw.length; i += 2) if (raw[i] === ':status') return Number(raw[i + 1]);
  return Number.NaN;
};

function sendTrailers(stream: ClientHttp2Stream, trailers: Fields | undefined): void {
  const object: OutgoingHttpHeaders = Object.create(null);
  for (let i = 0; trailers !== undefined && i < trailers.length; i += 2) {
    const name = trailers[i]!.toLowerCase();
    const before = object[name];
    object[name] = before === undefined ? trailers[i + 1]! : [before, trailers[i + 1]!].flat().map(String);
  }
  try {
    stream.sendTrailers(object);
  } catch {
    // Trailers are optional (RFC 9110, section 6.5.1); the request is not.
    stream.sendTrailers({});
  }
}
