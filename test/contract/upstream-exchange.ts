// What every Upstream must carry, whatever it speaks: content, fields, interim answers, trailers, early answers.

import { fieldValue, fieldValues } from '../../lib/core/fields.ts';
import type { Wire } from '../support/backends.ts';
import { lentBytes, writeLent } from '../support/lent.ts';
import { ask, fetchFrom } from '../support/upstreams.ts';
import { MIB, scenarios, whole } from './upstream-scenarios.ts';

const LENT_SIZES = [3, 20_000, 60_000, 1, ...Array.from({ length: 40 }, (_, i) => 60_000 - i)];

export function exchangeContract(name: string, wire: Wire): void {
  const scenario = scenarios(name, wire);

  scenario(
    'carries method, target, authority, fields and content both ways',
    (request, response) => {
      let body = '';
      request.on('data', chunk => {
        body += chunk;
      });
      request.on('end', () => {
        const { method, url, headers } = request;
        response.setHeader('x-one', ['1', '2']);
        response.setHeader('set-cookie', ['a=1', 'b=2']);
        response.writeHead(201);
        const authority = headers[':authority'] ?? headers.host;
        response.end(JSON.stringify({ method, url, authority, test: headers['x-test'], body }));
      });
    },
    async (test, upstream) => {
      const fields = ['X-Test', 'a', 'X-Test', 'b', 'Content-Length', '9'];
      const { sink, outgoing } = ask(upstream, {
        method: 'PUT',
        target: '/a//b?c=%20',
        fields,
        bodyLength: 9,
      });
      outgoing.write(Buffer.from('some '));
      outgoing.write(Buffer.from('body'));
      outgoing.end();
      await sink.over();
      whole(test, sink, 201);
      test.same(JSON.parse(sink.body), {
        method: 'PUT',
        url: '/a//b?c=%20',
        authority: 'app.example',
        test: 'a, b',
        body: 'some body',
      });
      test.same(fieldValues(sink.answer!.fields, 'set-cookie'), ['a=1', 'b=2']);
      for (const gone of ['connection', 'keep-alive', 'transfer-encoding'])
        test.equal(fieldValue(sink.answer!.fields, gone), undefined, gone);
    },
  );

  scenario(
    'is lent the bytes of a request: what is written over behind the call arrives as it was',
    (request, response) => {
      const chunks: Buffer[] = [];
      // Late, so that not all of it can be sent at once.
      request.pause();
      setTimeout(() => request.resume(), 20);
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', () => response.end(String(Buffer.concat(chunks).equals(lentBytes(LENT_SIZES)))));
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      writeLent(LENT_SIZES.slice(0, 3), chunk => outgoing.write(chunk));
      await sink.until(() => upstream.connections > 0);
      writeLent(LENT_SIZES, chunk => outgoing.write(chunk), 3);
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'true');
    },
  );

  scenario(
    'streams a request of unknown length and an answer that follows it piece by piece',
    (request, response) => {
      request.on('data', chunk => response.write(chunk));
      request.on('end', () => response.end('.'));
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      for (const [index, word] of ['one', 'two', 'three'].entries()) {
        outgoing.write(Buffer.from(word));
        const expected = ['one', 'onetwo', 'onetwothree'][index]!;
        await sink.until(() => sink.body === expected);
      }
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'onetwothree.');
    },
  );

  scenario(
    'ends HEAD, 204 and 304 at their head',
    (request, response) => {
      const status = Number(request.url!.slice(1));
      if (status === 200) response.setHeader('content-length', '1000');
      response.writeHead(status);
      response.end();
    },
    async (test, upstream) => {
      for (const status of [200, 204, 304]) {
        const method = status === 200 ? 'HEAD' : 'GET';
        const sink = await fetchFrom(upstream, { method, target: `/${status}` });
        whole(test, sink, status);
        test.equal(sink.bytes, 0);
      }
      whole(test, await fetchFrom(upstream, { target: '/200', method: 'HEAD' }), 200);
    },
  );

  scenario(
    'passes early hints on, before the answer',
    (_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('done');
    },
    async (test, upstream) => {
      const sink = await fetchFrom(upstream);
      whole(test, sink, 200);
      test.equal(sink.informationals.length, 1);
      test.equal(sink.informationals[0]!.status, 103);
      test.equal(fieldValue(sink.informationals[0]!.fields, 'link'), '</a.css>; rel=preload');
    },
  );

  scenario(
    'passes the trailers of an answer on',
    (_request, response) => {
      response.setHeader('trailer', 'x-sum');
      response.write('data');
      response.addTrailers({ 'x-sum': '42' });
      response.end();
    },
    async (test, upstream) => {
      const sink = await fetchFrom(upstream);
      whole(test, sink, 200);
      test.equal(fieldValue(sink.trailers ?? [], 'x-sum'), '42');
    },
  );

  scenario(
    'delivers an answer that is complete before the request is, and survives what is written after it',
    (_request, response) => {
      response.writeHead(413);
      response.end('too much');
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      outgoing.write(Buffer.alloc(1000));
      await sink.over();
      whole(test, sink, 413);
      test.equal(sink.body, 'too much');
      outgoing.write(Buffer.alloc(1000));
      outgoing.end();
      whole(test, await fetchFrom(upstream), 413);
    },
  );

  scenario(
    'lets an answer begin while the request goes on',
    (request, response) => {
      response.write('begun ');
      let bytes = 0;
      request.on('data', chunk => {
        bytes += chunk.length;
      });
      request.on('end', () => response.end(String(bytes)));
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      outgoing.write(Buffer.alloc(10));
      await sink.until(() => sink.body === 'begun ');
      outgoing.write(Buffer.alloc(10));
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'begun 20');
    },
  );

  scenario(
    'moves 32 MiB both ways at once, whole, waiting when told to',
    (request, response) => {
      request.pipe(response);
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      sink.keepChunks = false;
      const chunk = Buffer.alloc(64 * 1024, 7);
      for (let sent = 0; sent < 32 * MIB; sent += chunk.length) {
        const before = sink.writables;
        if (!outgoing.write(chunk)) await sink.until(() => sink.writables > before);
      }
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.bytes, 32 * MIB);
    },
  );
}
