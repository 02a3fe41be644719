// What it costs to read a head and to write one: node test/bench/codec.ts. CPU ns a head, best of several rounds.

import { AnswerReader } from '../../lib/data/http1/codec/answer-reader.ts';
import { RequestReader } from '../../lib/data/http1/codec/request-reader.ts';
import { answerHead, joined, requestHead } from '../../lib/data/http1/codec/write.ts';

const BROWSER = [
  ...[
    'Host',
    'shop.example.org',
    'User-Agent',
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  ],
  ...[
    'Accept',
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Accept-Language',
    'en-US,en;q=0.5',
  ],
  ...[
    'Accept-Encoding',
    'gzip, deflate, br, zstd',
    'Connection',
    'keep-alive',
    'Cookie',
    'session=0123456789abcdef; theme=dark',
  ],
  ...['Sec-Fetch-Mode', 'navigate'],
];
const ANSWER = [
  ...[
    'Server',
    'example',
    'Date',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    'Content-Type',
    'text/html; charset=utf-8',
  ],
  ...['Content-Length', '2', 'ETag', '"0123456789abcdef"', 'Cache-Control', 'no-cache'],
];
const lines = (fields: readonly string[], id: number): string => {
  let text = '';
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${text.replace('0123456789abcdef', String(id).padStart(16, '0'))}\r\n`;
};
const limits = { uri_bytes: 8192, header_bytes: 16_384, header_count: 100 };
const HEADS = 200_000;
const ROUNDS = 7;

function measure(name: string, heads: readonly Buffer[], read: (head: Buffer) => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < HEADS; i++) read(heads[i % heads.length]!);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / HEADS);
  }
  process.stdout.write(`${name.padEnd(52)} ${best.toFixed(0).padStart(6)} ns\n`);
}

const many = (make: (id: number) => string): Buffer[] =>
  Array.from({ length: 64 }, (_, id) => Buffer.from(make(id), 'latin1'));
const request = many(id => `GET /products/${id} HTTP/1.1\r\n${lines(BROWSER, id)}`);
const repeated = many(id => `GET /products/${id} HTTP/1.1\r\n${lines(BROWSER, 0)}`);
const answer = many(id => `HTTP/1.1 200 OK\r\n${lines(ANSWER, id)}ok`);
const repeatedAnswer = many(() => `HTTP/1.1 200 OK\r\n${lines(ANSWER, 0)}ok`);

function requests(): (head: Buffer) => void {
  const reader = new RequestReader('http', { limits });
  return head => {
    reader.feed(head);
    if (reader.next() !== 'head' || reader.next() !== 'end') throw new Error('not read');
  };
}

function answers(): (head: Buffer) => void {
  const reader = new AnswerReader();
  return head => {
    reader.begin(false, false);
    reader.feed(head);
    if (reader.next() !== 'head' || reader.next() !== 'data' || reader.next() !== 'end')
      throw new Error('not read');
  };
}

const body = Buffer.from('ok');
const sendable = BROWSER.filter((_, i) => i < 10 || i > 11);
process.stdout.write(`request of ${request[0]!.length} bytes, answer of ${answer[0]!.length} bytes\n`);
measure('read a request, fields that differ', request, requests());
measure('read a request, fields as before', repeated, requests());
measure('read an answer, fields that differ', answer, answers());
measure('read an answer, fields as before', repeatedAnswer, answers());
measure(
  'write a request',
  request,
  () => void Buffer.from(requestHead('GET', '/products/1', sendable, '')!, 'latin1'),
);
measure('write an answer with its body', answer, () => void joined(answerHead(200, ANSWER, '')!, body, ''));
