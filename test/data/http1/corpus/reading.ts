// What a reader made of some bytes, as lines that a person can write down beforehand.
//
//   GET /a 1.1 [Host=a|X=b c] 0 close      head of a request, length of its body (-1 chunked), what else was asked
//   200 [Server=x] keep                    head of an answer; `keep`: the connection may go on
//   "abc"                                  the body so far, pieces joined
//   .                                      the message is whole; `. [X=y]` with trailers
//   !BAD_REQUEST                           refused; with another status than the code's: !BAD_REQUEST 417
//   …                                      more must come
//   >abc                                   bytes behind an upgrade

import { ERRORS } from '../../../../lib/core/errors.ts';
import { AnswerReader } from '../../../../lib/data/http1/codec/answer-reader.ts';
import { RequestReader } from '../../../../lib/data/http1/codec/request-reader.ts';
import type { HeadLimits } from '../../../../lib/data/http1/head.ts';

/** Small, so that what goes beyond can be written down whole. */
const CORPUS_LIMITS: HeadLimits = { uri_bytes: 64, header_bytes: 512, header_count: 12 };

export interface Case {
  readonly name: string;
  /** Latin-1. */
  readonly bytes: string;
  readonly reading: readonly string[];
}

export interface AnswerCase extends Case {
  readonly method: 'GET' | 'HEAD' | 'UPGRADE';
  /** The connection ends in order behind the bytes. */
  readonly ends: boolean;
}

const fieldsText = (fields: readonly string[]): string => {
  const pairs: string[] = [];
  for (let i = 0; i < fields.length; i += 2) pairs.push(`${fields[i]}=${fields[i + 1]}`);
  return `[${pairs.join('|')}]`;
};

class Lines {
  readonly all: string[] = [];
  #body = '';

  data(chunk: Uint8Array): void {
    this.#body += Buffer.from(chunk).toString('latin1');
  }

  add(line: string): void {
    if (this.#body !== '') this.all.push(JSON.stringify(this.#body));
    this.#body = '';
    this.all.push(line);
  }

  end(trailers: readonly string[] | undefined): void {
    this.add(trailers === undefined ? '.' : `. ${fieldsText(trailers)}`);
  }
}

/** Feeds the pieces one after the other. */
export function readRequests(pieces: readonly Buffer[], limits: HeadLimits = CORPUS_LIMITS): string[] {
  const reader = new RequestReader('http', { limits });
  const lines = new Lines();
  let upgraded = false;
  for (const piece of pieces) {
    reader.feed(piece);
    for (let step = reader.next(); step !== 'more'; step = reader.next()) {
      if (step === 'head') {
        const { method, target, version, fields, bodyLength, expectsContinue, protocol } = reader.head!;
        upgraded = protocol !== '';
        lines.add(
          `${method} ${target} ${version} ${fieldsText(fields)} ${bodyLength}` +
            `${reader.lastOne ? ' close' : ''}${expectsContinue ? ' continue' : ''}${upgraded ? ' websocket' : ''}`,
        );
      } else if (step === 'data') lines.data(reader.chunk);
      else if (step === 'end') lines.end(reader.trailers);
      else {
        const { code, status } = reader.refusal!;
        lines.add(`!${code}${status === ERRORS[code].status ? '' : ` ${status}`}`);
        return lines.all;
      }
    }
  }
  if (upgraded) lines.add(`>${reader.rest().toString('latin1')}`);
  else if (!reader.atRest) lines.add('…');
  return lines.all;
}

export function readAnswer(pieces: readonly Buffer[], method: AnswerCase['method'], ends: boolean): string[] {
  const reader = new AnswerReader();
  const lines = new Lines();
  reader.begin(method === 'HEAD', method === 'UPGRADE');
  let whole = false;
  for (const piece of pieces) {
    reader.feed(piece);
    for (let step = reader.next(); step !== 'more'; step = reader.next()) {
      if (step === 'head')
        lines.add(
          `${reader.status} ${fieldsText(reader.fields)}${reader.status >= 200 && reader.keepAlive ? ' keep' : ''}`,
        );
      else if (step === 'data') lines.data(reader.chunk);
      else if (step === 'end') {
        whole = true;
        lines.end(reader.trailers);
      } else {
        lines.add('!BAD_ANSWER');
        return lines.all;
      }
    }
  }
  if (reader.status === 101) lines.add(`>${reader.rest().toString('latin1')}`);
  else if (!whole) {
    if (ends && reader.finish() === 'end') lines.end(reader.trailers);
    else lines.add('…');
  }
  return lines.all;
}

/** One piece; two, cut at every place; and one octet at a time. Long texts are cut at every `stride`th place. */
export function* cuts(bytes: string): Generator<Buffer[]> {
  const whole = Buffer.from(bytes, 'latin1');
  yield [whole];
  const stride = whole.length > 2048 ? 97 : 1;
  for (let at = 1; at < whole.length; at += stride)
    yield [Buffer.from(whole.subarray(0, at)), Buffer.from(whole.subarray(at))];
  yield Array.from(whole, byte => Buffer.from([byte]));
}
