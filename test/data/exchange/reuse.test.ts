// A field section that comes again on its connection is made ready for the backend once, and decides nothing else.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Leaseway, type LeasewayOptions } from '../../support/leaseway.ts';

interface Seen {
  readonly backend: string;
  readonly method: string;
  readonly url: string;
  readonly fields: readonly string[];
}

async function backend(t: Test, name: string): Promise<string> {
  const server = createServer((request, response) => {
    const { method, url, rawHeaders: fields } = request;
    request.resume().on('end', () => response.end(JSON.stringify({ backend: name, method, url, fields })));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const SECTION = 'Host: shop.example.org\r\nUser-Agent: test\r\nAccept: */*\r\nX-Padding: of some length\r\n';

/** One connection on which the same section is sent behind any line. */
class Repeater {
  readonly #socket: Socket;
  readonly #section: string;

  constructor(t: Test, port: number, section = SECTION) {
    this.#socket = connect(port, '127.0.0.1');
    this.#section = section;
    t.teardown(() => this.#socket.destroy());
  }

  async raw(line: string): Promise<string> {
    this.#socket.write(`${line}\r\n${this.#section}\r\n`);
    let text = '';
    for (;;) {
      text += String(((await once(this.#socket, 'data')) as [Buffer])[0]);
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end > 0 && text.length >= end + 4 + length) return text;
    }
  }

  async ask(line: string): Promise<Seen> {
    const text = await this.raw(line);
    return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  }
}

const value = ({ fields }: Seen, name: string): string | undefined => {
  const at = fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === name);
  return at < 0 ? undefined : fields[at + 1];
};
const names = ({ fields }: Seen): string[] => fields.filter((_, i) => i % 2 === 0);
/** What is made anew goes behind what is reused. */
const isReused = (seen: Seen): boolean =>
  names(seen).indexOf('X-Request-Id') > names(seen).indexOf('X-Forwarded-For');

const options = (url: string, config: Record<string, unknown> = {}): LeasewayOptions => ({
  config: { http1: 'native', ...config },
  clusters: { app: { backends: [url] } },
});

t.test('line, id, trace, length and route are of each request', async t => {
  const url = await backend(t, 'a');
  const routes = [
    { match: { path: '/inner' }, cluster: 'app', rewrite: { host: 'inner.example.org' } },
    { cluster: 'app' },
  ];
  await using leaseway = await Leaseway.start(options(url, { routes }));
  const client = new Repeater(t, leaseway.port());
  const seen: Seen[] = [];
  for (let i = 0; i < 6; i++) seen.push(await client.ask(`GET /page/${i}?n=${i} HTTP/1.1`));
  t.strictSame(
    seen.map(isReused),
    [false, false, false, true, true, true],
    'from the fourth on it is reused',
  );
  t.strictSame(
    seen.map(({ url }) => url),
    seen.map((_, i) => `/page/${i}?n=${i}`),
  );
  for (const name of ['x-request-id', 'traceparent'])
    t.equal(new Set(seen.map(one => value(one, name))).size, 6, `${name} is new each time`);
  const rest = (one: Seen): string =>
    JSON.stringify(
      names(one)
        .filter(name => !/^(x-request-id|traceparent)$/i.test(name))
        .map(name => [name, value(one, name.toLowerCase())]),
    );
  t.strictSame(new Set(seen.map(rest)).size, 1, 'all else is as it was the first time');

  const post = await client.ask('POST /form HTTP/1.1');
  t.equal(value(post, 'content-length'), '0');
  const get = await client.ask('GET /form HTTP/1.1');
  t.equal(value(get, 'content-length'), undefined);
  t.equal(value(await client.ask('GET /x HTTP/1.1'), 'host'), 'shop.example.org');
  t.equal(value(await client.ask('GET /inner HTTP/1.1'), 'host'), 'inner.example.org');
  t.equal(value(await client.ask('GET /x HTTP/1.1'), 'host'), 'shop.example.org');
});

t.test('a new configuration counts for the next request', async t => {
  const url = await backend(t, 'a');
  await using leaseway = await Leaseway.start(options(url));
  const client = new Repeater(t, leaseway.port());
  for (let i = 0; i < 4; i++) t.equal(value(await client.ask('GET / HTTP/1.1'), 'via'), '1.1 leaseway');
  leaseway.rewrite(options(url, { via: 'edge', request_id: 'X-Id' }));
  t.equal((await leaseway.reload()).status, 200);
  const seen = await client.ask('GET / HTTP/1.1');
  t.equal(value(seen, 'via'), '1.1 edge');
  t.ok(value(seen, 'x-id'));
  t.equal(value(seen, 'x-request-id'), undefined);
});

t.test('limits and rates count for each request', async t => {
  const url = await backend(t, 'a');
  const routes = [{ cluster: 'app', rate_limit: { rate: 0.001, burst: 5, by: 'client' } }];
  await using leaseway = await Leaseway.start(options(url, { routes }));
  const client = new Repeater(t, leaseway.port());
  for (let i = 0; i < 5; i++) t.equal((await client.ask('GET / HTTP/1.1')).backend, 'a');
  t.match(await client.raw('GET / HTTP/1.1'), /^HTTP\/1\.1 429 /, 'the sixth is one too many');
  leaseway.rewrite(options(url, { limits: { uri_bytes: 64 } }));
  t.equal((await leaseway.reload()).status, 200);
  t.equal((await client.ask('GET / HTTP/1.1')).backend, 'a');
  t.match(await client.raw(`GET /${'x'.repeat(64)} HTTP/1.1`), /^HTTP\/1\.1 414 /);
});

t.test('a lease is looked at with each request', async t => {
  const [a, b] = [await backend(t, 'a'), await backend(t, 'b')];
  const clusters = {
    app: {
      backends: [
        { id: 'a', url: a },
        { id: 'b', url: b },
      ],
      sticky: { by: 'cookie', term: '1s' },
    },
  };
  await using leaseway = await Leaseway.start({ config: { http1: 'native' }, clusters });
  const answer = await new Repeater(t, leaseway.port()).raw('GET / HTTP/1.1');
  const cookie = /set-cookie: ([^;\r]+)/i.exec(answer)![1]!;
  const client = new Repeater(t, leaseway.port(), `${SECTION}Cookie: ${cookie}\r\n`);
  const first = await client.ask('GET / HTTP/1.1');
  for (let i = 0; i < 4; i++) t.equal((await client.ask('GET / HTTP/1.1')).backend, first.backend);
  const renewed = await leaseway.until(async () => {
    const text = await client.raw('GET / HTTP/1.1');
    return /set-cookie/i.test(text) && text;
  });
  const seen: Seen = JSON.parse(renewed.slice(renewed.indexOf('\r\n\r\n') + 4));
  t.ok(isReused(seen), 'its term is over and it is renewed, though the section is the same');
  t.equal(seen.backend, first.backend);
  const reply = await leaseway.admin(`/v1/backends/app/${first.backend}/maintenance`, 'POST');
  t.ok(reply.status < 300, `maintenance: ${reply.status} ${reply.text}`);
  await leaseway.until(async () => (await client.ask('GET / HTTP/1.1')).backend !== first.backend);
});

t.test('an answer whose fields come again is that of its route, its configuration, its second', async t => {
  const server = createServer((_request, response) => {
    response.sendDate = false;
    response.setHeader('X-From', 'backend').end('same');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.closeAllConnections());
  t.teardown(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const routes = [
    {
      match: { path: '/edited' },
      cluster: 'app',
      response_headers: { set: { 'X-Edge': 'yes' }, remove: ['X-From'] },
    },
    { cluster: 'app' },
  ];
  await using leaseway = await Leaseway.start(options(url, { routes }));
  const client = new Repeater(t, leaseway.port());
  const plain = await client.raw('GET / HTTP/1.1');
  for (let i = 0; i < 4; i++) {
    t.match(
      await client.raw('GET / HTTP/1.1'),
      /X-From: backend\r\n(?![\s\S]*X-Edge)[\s\S]*Via: 1\.1 leaseway\r\n/,
    );
    t.match(await client.raw('GET /edited HTTP/1.1'), /^(?![\s\S]*X-From)[\s\S]*X-Edge: yes\r\n/);
  }
  const dateOf = (answer: string): string | undefined => /\r\nDate: (.+?)\r\n/.exec(answer)?.[1];
  await leaseway.until(async () => {
    const date = dateOf(await client.raw('GET / HTTP/1.1'))!;
    return Date.parse(date) > Date.parse(dateOf(plain)!);
  });
  leaseway.rewrite(options(url, { routes, via: 'edge' }));
  t.equal((await leaseway.reload()).status, 200);
  t.match(await client.raw('GET / HTTP/1.1'), /\r\nVia: 1\.1 edge\r\n/);
});

t.test(
  'a lease goes to the client it was made for, however often the answer’s fields come again',
  async t => {
    const url = await backend(t, 'a');
    const clusters = { app: { backends: [url], sticky: { by: 'cookie' } } };
    await using leaseway = await Leaseway.start({ config: { http1: 'native' }, clusters });
    const cookieOf = (answer: string): string | undefined => /\r\nset-cookie: ([^;\r]+)/i.exec(answer)?.[1];
    const first = cookieOf(await new Repeater(t, leaseway.port()).raw('GET / HTTP/1.1'))!;
    const kept = new Repeater(t, leaseway.port(), `${SECTION}Cookie: ${first}\r\n`);
    for (let i = 0; i < 4; i++) {
      t.equal(cookieOf(await kept.raw('GET / HTTP/1.1')), undefined);
      t.equal(cookieOf(await kept.raw('GET / HTTP/1.1')), undefined);
      const given = cookieOf(await new Repeater(t, leaseway.port()).raw('GET / HTTP/1.1'));
      t.ok(given !== undefined && given !== first, `given ${given}`);
    }
  },
);
