// What our codec makes of some reads, in the shape that Node's reading has.

import { AnswerReader } from '../../lib/data/http1/codec/answer-reader.ts';
import { RequestReader } from '../../lib/data/http1/codec/request-reader.ts';
import type { NodeMessage } from './node-reading.ts';

export interface OurReading {
  readonly messages: NodeMessage[];
  /** Why it was refused, or empty. */
  fault: string;
  /** Nothing is missing. */
  atRest: boolean;
  /** What follows was not read: the connection ends with this request. */
  last: boolean;
}

const LIMITS = { uri_bytes: 8192, header_bytes: 16_384, header_count: 100 };

/** More steps than this for so many bytes would be a reader that goes in circles. */
const mostSteps = (bytes: number): number => bytes * 2 + 16;

export function ourRequests(reads: readonly Buffer[]): OurReading {
  const reader = new RequestReader('http', { limits: LIMITS });
  const reading: OurReading = { messages: [], fault: '', atRest: false, last: false };
  let left = mostSteps(reads.reduce((sum, read) => sum + read.length, 0)) + reads.length;
  let message: NodeMessage | null = null;
  for (const read of reads) {
    reader.feed(read);
    for (let step = reader.next(); step !== 'more'; step = reader.next()) {
      left -= 1;
      if (left < 0) throw new Error('the reader goes in circles');
      if (step === 'head') {
        const { method, target, version, fields } = reader.head!;
        message = { first: `${method} ${target} ${version}`, fields, body: '', trailers: [], whole: false };
        reading.messages.push(message);
      } else if (step === 'data') message!.body += reader.chunk.toString('latin1');
      else if (step === 'end') {
        message!.whole = true;
        message!.trailers = reader.trailers ?? [];
        if (reader.lastOne) {
          reading.last = true;
          return reading;
        }
      } else {
        reading.fault = `${reader.refusal!.code}: ${reader.refusal!.detail}`;
        return reading;
      }
    }
  }
  reading.atRest = reader.atRest;
  return reading;
}

export function ourAnswer(reads: readonly Buffer[], method: string): OurReading {
  const reader = new AnswerReader();
  const reading: OurReading = { messages: [], fault: '', atRest: false, last: false };
  reader.begin(method === 'HEAD', false);
  let left = mostSteps(reads.reduce((sum, read) => sum + read.length, 0)) + reads.length;
  let message: NodeMessage | null = null;
  const ended = (): OurReading => {
    message!.whole = true;
    message!.trailers = reader.trailers ?? [];
    reading.atRest = true;
    return reading;
  };
  for (const read of reads) {
    reader.feed(read);
    for (let step = reader.next(); step !== 'more'; step = reader.next()) {
      left -= 1;
      if (left < 0) throw new Error('the reader goes in circles');
      if (step === 'head') {
        const interim = reader.status < 200;
        message = {
          first: String(reader.status),
          fields: reader.fields,
          body: '',
          trailers: [],
          whole: interim,
        };
        reading.messages.push(message);
      } else if (step === 'data') message!.body += reader.chunk.toString('latin1');
      else if (step === 'end') return ended();
      else {
        reading.fault = reader.fault;
        return reading;
      }
    }
  }
  return reader.finish() === 'end' ? ended() : reading;
}
