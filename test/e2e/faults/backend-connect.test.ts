// Backends that cannot be reached: refusing, resetting, silent to SYN, wrong in TLS; and a proxy out of descriptors.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Backend, deadPort, goodBackend, rawBackend } from '../../support/backends.ts';
import { makeAuthority } from '../../support/certs.ts';
import { statusOf } from '../../support/raw-client.ts';
import { producedHere } from './codes.ts';
import { Stage } from './stage.ts';

const CONNECT_MS = 400;
const folder = mkdtempSync(join(tmpdir(), 'leaseway-connect-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const authority = makeAuthority();
writeFileSync(join(folder, 'ca.pem'), authority.ca);

const served: string[] = [];
const good = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  served.push(`${request.method} ${request.url}`);
  request.resume();
  request.on('end', () => response.end('good'));
});
const dead = `http://127.0.0.1:${await deadPort()}`;
const resetting = await rawBackend(false, socket => socket.resetAndDestroy());
/** Accepts TCP and never says a word: a TLS handshake that hangs. */
const mute = await rawBackend(false, () => {});

const https = async (cert: string, key: string): Promise<Backend> => {
  const server = createHttps({ cert, key }, (_request, response) => response.end('secure'));
  server.on('tlsClientError', () => {});
  return new Backend(server, true).listen();
};
const right = authority.issue(['127.0.0.1']);
const wrong = authority.issue(['other.example']);
const stranger = makeAuthority().issue(['127.0.0.1']);
const rightName = await https(right.cert, right.key);
const wrongName = await https(wrong.cert, wrong.key);
const selfSigned = await https(stranger.cert, stranger.key);
const expiredPair = expired();
const outOfDate = await https(expiredPair.cert, expiredPair.key);

/** Signed by itself and trusted as authority, but over: only the date is wrong. */
function expired(): { cert: string; key: string } {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', at('old.key'));
  writeFileSync(at('old.ext'), 'subjectAltName=IP:127.0.0.1\n');
  openssl('req', '-new', '-key', at('old.key'), '-out', at('old.csr'), '-subj', '/CN=old');
  // A term of minus one day ended yesterday.
  openssl(
    ...['x509', '-req', '-in', at('old.csr'), '-signkey', at('old.key'), '-days', '-1'],
    ...['-extfile', at('old.ext'), '-out', at('old.pem')],
  );
  return { cert: readFileSync(at('old.pem'), 'utf8'), key: readFileSync(at('old.key'), 'utf8') };
}

const one = (url: string, more: object = {}): object => ({
  backends: [{ id: 'bad', url }],
  timeouts: { connect: `${CONNECT_MS}ms` },
  outlier: { consecutive_failures: 0 },
  ...more,
});
const withGood = (url: string): object => ({
  ...one(url),
  backends: [
    { id: 'bad', url },
    { id: 'good', url: good.url },
  ],
  balance: { policy: 'round_robin' },
  retry: { min_per_second: 1000 },
});
const tls = (backend: Backend, ca = 'ca.pem'): object => one(backend.url, { tls: { ca: join(folder, ca) } });
const clusters = {
  dead: one(dead),
  'dead-or-good': withGood(dead),
  resetting: one(resetting.url),
  'resetting-or-good': withGood(resetting.url),
  'tls-right': tls(rightName),
  'tls-name': tls(wrongName),
  'tls-self': tls(selfSigned),
  'tls-old': tls(outOfDate, 'old.pem'),
  'tls-mute': one(`https://127.0.0.1:${mute.port}`),
  silent: one('http://127.0.0.1:1'),
  'silent-or-good': withGood('http://127.0.0.1:1'),
};

/** A listener whose accept queue is full: the kernel drops every further SYN. */
const full = await fullListener();
clusters.silent = one(`http://127.0.0.1:${full.port}`);
clusters['silent-or-good'] = withGood(`http://127.0.0.1:${full.port}`);

const stage = await Stage.open({
  clusters,
  routes: Object.keys(clusters).map(name => ({ name, match: { path: `/${name}` }, cluster: name })),
});
stage.keep(good, resetting, mute, rightName, wrongName, selfSigned, outOfDate);
t.teardown(() => stage[Symbol.asyncDispose]());
t.teardown(() => full.close());

const ask = (method: string, path: string, body = ''): Promise<{ answer: string; address: string }> =>
  stage.say(
    `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );

t.test('alone and unreachable: a clear status at once or after the connect time-out', async t => {
  for (const [cluster, status, code, detail] of [
    ['dead', 502, 'CONNECT_FAILED', /ECONNREFUSED/],
    ['silent', 504, 'CONNECT_TIMEOUT', /400 ms/],
    ['tls-name', 502, 'TLS_FAILED', /altnames|IP/],
    ['tls-self', 502, 'TLS_FAILED', /certificate/],
    ['tls-old', 502, 'TLS_FAILED', /expired/],
    ['tls-mute', 504, 'CONNECT_TIMEOUT', /TLS handshake/],
  ] as const) {
    const since = performance.now();
    const { answer, address } = await ask('GET', `/${cluster}`);
    t.equal(statusOf(answer), status, cluster);
    t.match(answer, new RegExp(code), `${cluster}: the code in the answer`);
    t.notMatch(answer, /127\.0\.0\.1|ECONN|certificate has/, `${cluster}: no internals in the answer`);
    t.ok(performance.now() - since < CONNECT_MS + 2000, `${cluster}: in time`);
    t.match(
      await stage.lineFrom(address),
      { status, error: code, detail, backend: 'bad' },
      `${cluster}: in the log`,
    );
  }
  t.match(
    (await ask('GET', '/tls-right')).answer,
    /^HTTP\/1.1 200 [\s\S]*secure$/,
    'the right certificate is taken',
  );
  stage.steady.unharmed(t);
});

t.test('a backend that resets what it accepted: 502 alone, tried elsewhere where there is one', async t => {
  const { answer, address } = await ask('GET', '/resetting');
  t.equal(statusOf(answer), 502);
  t.match(await stage.lineFrom(address), { status: 502, error: /^(CONNECT_FAILED|ANSWER_CUT)$/ });
  for (let i = 0; i < 10; i++) t.match((await ask('GET', '/resetting-or-good')).answer, /good$/);
});

t.test('with another backend the request goes there, whatever its method: nothing was processed', async t => {
  for (const cluster of ['dead-or-good', 'silent-or-good']) {
    let retried = 0;
    for (let i = 0; i < 4; i++) {
      for (const [method, body] of [
        ['GET', ''],
        ['POST', 'a body that is sent again'],
      ] as const) {
        const path = `/${cluster}/${method}/${i}`;
        const { answer } = await ask(method, path, body);
        t.match(answer, /^HTTP\/1.1 200 [\s\S]*good$/, path);
        const line = await stage.lineOf(path);
        t.match(line, { status: 200, backend: 'good', error: '' });
        if (line.attempts.length === 2) {
          retried += 1;
          t.match(line.attempts[0], /^bad:CONNECT_(FAILED|TIMEOUT):/);
        }
        t.equal(served.filter(one => one === `${method} ${path}`).length, 1, 'served once');
      }
    }
    t.ok(retried > 0, `${cluster}: ${retried} of 8 were tried twice`);
  }
  stage.steady.unharmed(t, 20);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});

/** Node accepts what comes at once; a process that is stopped does not, and its queue of one is soon full. */
async function fullListener(): Promise<{ port: number; close: () => void }> {
  const { spawn } = await import('node:child_process');
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const s = require('net').createServer();
       s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
         process.stdout.write(String(s.address().port) + '\\n', () => process.kill(process.pid, 'SIGSTOP'));
       });`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const port = await new Promise<number>(resolve => child.stdout.once('data', text => resolve(Number(text))));
  const waiting: net.Socket[] = [];
  // Until one is not answered within a second: then the queue is full.
  for (;;) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    waiting.push(socket);
    const connected = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true));
      setTimeout(() => resolve(false), 1000);
    });
    if (!connected) break;
  }
  return {
    port,
    close() {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
