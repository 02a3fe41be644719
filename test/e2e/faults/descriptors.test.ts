// The proxy out of file descriptors: new connections suffer, those that are served go on, and later ones come in again.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import t from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { type Caller, Stage } from './stage.ts';

const ROOM = 24;
const CROWD = 120;
const GET = 'GET /app HTTP/1.1\r\nHost: a\r\n\r\n';

const backend = await goodBackend({ protocol: 'http1', secure: false }, (_request, response) => {
  response.end('ok');
});
const stage = await Stage.open({
  clusters: {
    app: {
      backends: [{ id: 'app', url: backend.url }],
      health: { tcp: true, interval: '100ms', rise: 1, fall: 2 },
    },
  },
  routes: [{ cluster: 'app' }],
});
stage.keep(backend);
t.teardown(() => stage[Symbol.asyncDispose]());

/** The soft limit only: what is raised again needs no right. */
const limitTo = (descriptors: number): void =>
  void execFileSync('prlimit', ['--pid', String(stage.leaseway.pid), `--nofile=${descriptors}:`]);
const openDescriptors = (): number => readdirSync(`/proc/${stage.leaseway.pid}/fd`).length;

/** Processor time it takes within so many ms, in ms. */
async function busyFor(ms: number): Promise<number> {
  const ticks = (): number =>
    readFileSync(`/proc/${stage.leaseway.pid}/stat`, 'latin1')
      .split(') ')[1]!
      .split(' ')
      .slice(11, 13)
      .reduce((sum, text) => sum + Number(text), 0);
  const before = ticks();
  const end = performance.now() + ms;
  await until('the time is over', () => performance.now() > end);
  // Linux counts in hundredths of a second wherever Node runs.
  return (ticks() - before) * 10;
}

t.test('out of descriptors', { skip: existsSync('/proc/self/fd') ? false : 'needs Linux' }, async t => {
  const before = Number(
    execFileSync('prlimit', [
      '--pid',
      String(stage.leaseway.pid),
      '--nofile',
      '--noheadings',
      '--output=SOFT',
    ]),
  );
  // One that is served all the while, on connections that stand already.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: (number | string)[] = [];
  const ask = (): Promise<number | string> =>
    new Promise(resolve => {
      http
        .get({ port: stage.port, host: '127.0.0.1', path: '/steady/inside', agent }, response => {
          response.resume();
          response.on('close', () => resolve(response.statusCode!));
        })
        .on('error', error => resolve(error.message));
    });
  t.equal(await ask(), 200);
  await stage.steady.stop();
  limitTo(openDescriptors() + ROOM);
  const crowd: Caller[] = await Promise.all(Array.from({ length: CROWD }, () => stage.connect()));
  for (const caller of crowd) {
    caller.socket.on('error', () => {});
    caller.send(GET);
  }
  for (let i = 0; i < 100; i++) statuses.push(await ask());
  t.same(new Set(statuses), new Set([200]), 'who is inside is served on');
  // The others were closed, told, or wait in the kernel's queue until there is a descriptor for them.
  const served = crowd.filter(({ text }) => statusOf(text) === 200).length;
  const told = crowd.filter(({ text }) => statusOf(text) === 503).length;
  t.ok(served < CROWD, `${served} of ${CROWD} served, ${told} told 503, the others closed or waiting`);
  t.notOk(
    crowd.some(({ text }) => text !== '' && statusOf(text) !== 200 && statusOf(text) !== 503),
    'nobody was told anything else',
  );
  const cpuMs = await busyFor(1000);
  // A figure, not a bound: with its reserve descriptor lost to another thread, libuv's accept may keep a core busy until one is free.
  t.comment(`${cpuMs} ms of processor time in a second while descriptors are out, two workers`);
  for (const caller of crowd) caller.socket.destroy();
  limitTo(before);
  await stage.leaseway.until(async () => {
    const { answer } = await stage.say(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    return statusOf(answer) === 200;
  });
  const later: number[] = [];
  for (let i = 0; i < 40; i++)
    later.push(statusOf((await stage.say(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))).answer));
  t.same(new Set(later), new Set([200]), 'later ones come in as before');
  t.equal(await ask(), 200);
  agent.destroy();
  const lines = stage.lines().filter(({ error }) => error !== '');
  for (const { error } of lines)
    t.match(error, /^(TOO_MANY_CONNECTIONS|CLIENT_GONE)$/, 'no backend is blamed for what we lack');
  t.equal((await stage.backend('app', 'app')).failures, 0, 'nor does it count against one');
  t.notOk(
    stage.leaseway.log.some(line => line.includes('app is down')),
    'nor do checks that could not be made',
  );
});
