// The proxy out of file descriptors: newcomers are told or closed, those that are served go on, and no thread spins meanwhile.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import t, { type Test } from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { type Caller, Stage, type StageOptions } from './stage.ts';

const CROWD = 160;
const ROUNDS = 3;
/** A thread that spins has a whole core, or its share of it; two workers with nothing to do take 10 to 30 ms in a second. */
const IDLE_CPU_MS = 200;
const GET = 'GET /app HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const skip = existsSync('/proc/self/fd') ? false : 'needs Linux';

const backend = await goodBackend({ protocol: 'http1', secure: false }, (_request, response) => {
  response.end('ok');
});
t.teardown(() => backend.close());

async function staged(t: Test, options: Partial<StageOptions> = {}): Promise<Stage> {
  const stage = await Stage.open({
    clusters: {
      app: {
        backends: [{ id: 'app', url: backend.url }],
        health: { tcp: true, interval: '100ms', rise: 1, fall: 2 },
      },
    },
    routes: [{ cluster: 'app' }],
    ...options,
  });
  t.teardown(() => stage[Symbol.asyncDispose]());
  await stage.steady.stop();
  return stage;
}

const openDescriptors = (stage: Stage): number => readdirSync(`/proc/${stage.leaseway.pid}/fd`).length;

/** Each worker has looked at its descriptors twice, and at their limit once. */
const LOOKED_MS = 1250;

async function passed(ms: number): Promise<void> {
  const end = performance.now() + ms;
  await until('the time is over', () => performance.now() > end);
}

/** Processor time it takes within a second, in ms. */
async function busyFor(stage: Stage): Promise<number> {
  const ticks = (): number =>
    readFileSync(`/proc/${stage.leaseway.pid}/stat`, 'latin1')
      .split(') ')[1]!
      .split(' ')
      .slice(11, 13)
      .reduce((sum, text) => sum + Number(text), 0);
  const before = ticks();
  await passed(1000);
  // Linux counts in hundredths of a second wherever Node runs.
  return (ticks() - before) * 10;
}

/** One that is served all the while, on connections that stand already. */
class Inside {
  readonly #port: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  constructor(stage: Stage) {
    this.#port = stage.port;
  }

  ask(): Promise<number | string> {
    return new Promise(resolve => {
      http
        .get(
          { port: this.#port, host: '127.0.0.1', path: '/steady/inside', agent: this.#agent },
          response => {
            response.resume();
            response.on('close', () => resolve(response.statusCode!));
          },
        )
        .on('error', error => resolve(error.message));
    });
  }

  leave(): void {
    this.#agent.destroy();
  }
}

async function crowd(stage: Stage): Promise<Caller[]> {
  const callers: Caller[] = await Promise.all(Array.from({ length: CROWD }, () => stage.connect()));
  for (const caller of callers) {
    caller.socket.on('error', () => {});
    caller.send(GET);
  }
  return callers;
}

/** More come than there are descriptors for, again and again; `free` makes room when they have left. */
async function besiege(t: Test, stage: Stage, inside: Inside, free = (): void => {}): Promise<void> {
  const callers = await crowd(stage);
  const statuses: (number | string)[] = [];
  for (let i = 0; i < 100; i++) statuses.push(await inside.ask());
  // Who idles is let go while others want in, so it goes on asking.
  let over = false;
  const asking = (async () => {
    for (; !over; await passed(50)) statuses.push(await inside.ask());
  })();
  await stage.leaseway.until(() =>
    stage.leaseway.log.some(line => line.includes('out of file descriptors: new connections are refused')),
  );
  await passed(LOOKED_MS);
  const cpuMs = await busyFor(stage);
  over = true;
  await asking;
  t.same(new Set(statuses), new Set([200]), `who is inside is served on, ${statuses.length} times`);
  t.ok(cpuMs < IDLE_CPU_MS, `no thread spins: ${cpuMs} ms of processor time in a second`);
  // The others were told, were closed, or wait in the kernel's queue.
  const told = callers.filter(({ text }) => statusOf(text) === 503).length;
  const served = callers.filter(({ text }) => statusOf(text) === 200).length;
  t.ok(served < CROWD, `${served} of ${CROWD} served, ${told} told 503, the others closed or waiting`);
  t.notOk(
    callers.some(({ text }) => text !== '' && statusOf(text) !== 200 && statusOf(text) !== 503),
    'nobody was told anything else',
  );
  for (const caller of callers) caller.socket.destroy();
  free();
  const freed = performance.now();
  let run = 0;
  let lastMissMs = freed;
  await stage.leaseway.until(async () => {
    run = statusOf((await stage.say(LAST)).answer) === 200 ? run + 1 : 0;
    if (run === 0) lastMissMs = performance.now();
    return run === 20;
  });
  const missedForMs = Math.round(lastMissMs - freed);
  t.ok(missedForMs < 1000, `later ones come in as before, after ${missedForMs} ms`);
}

async function blamesNobody(t: Test, stage: Stage): Promise<void> {
  const lines = stage.lines().filter(({ error }) => error !== '');
  const blame = lines.filter(({ error }) => error !== 'TOO_MANY_CONNECTIONS' && error !== 'CLIENT_GONE');
  t.same(blame, [], 'no backend is blamed for what we lack');
  t.equal((await stage.backend('app', 'app')).failures, 0, 'nor does it count against one');
  t.notOk(
    stage.leaseway.log.some(line => line.includes('app is down')),
    'nor do checks that could not be made',
  );
}

t.test('a low limit: newcomers are told before the last descriptor is taken', { skip }, async t => {
  const stage = await staged(t, { openFiles: 160, config: { workers: 4 } });
  const inside = new Inside(stage);
  t.equal(await inside.ask(), 200);
  for (let round = 0; round < ROUNDS; round++) {
    const besieged = besiege(t, stage, inside);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, openDescriptors(stage));
    }, 5);
    await besieged.finally(() => clearInterval(watch));
    t.ok(most < 160, `at most ${most} of 160 descriptors were in use`);
  }
  const refused = stage.lines().filter(({ error }) => error === 'TOO_MANY_CONNECTIONS');
  t.ok(refused.length > 0);
  const otherwise = refused.filter(
    ({ detail, status }) => status !== 503 || !/the limit of open files|few file descriptors/.test(detail),
  );
  t.same(otherwise, [], 'the log says why');
  await blamesNobody(t, stage);
  t.ok(await stage.leaseway.until(() => stage.leaseway.log.some(line => line.includes('are free again'))));
  inside.leave();
});

t.test('a limit that is lowered under a running process', { skip }, async t => {
  const stage = await staged(t);
  const pid = String(stage.leaseway.pid);
  // The soft limit only: what is raised again needs no right.
  const limitTo = (descriptors: number): void =>
    void execFileSync('prlimit', ['--pid', pid, `--nofile=${descriptors}:`]);
  const before = Number(execFileSync('prlimit', ['--pid', pid, '--nofile', '--noheadings', '--output=SOFT']));
  const inside = new Inside(stage);
  t.equal(await inside.ask(), 200);
  for (let round = 0; round < ROUNDS; round++) {
    limitTo(openDescriptors(stage) + 24);
    await besiege(t, stage, inside, () => limitTo(before));
  }
  await blamesNobody(t, stage);
  inside.leave();
});

t.test('another part of the process takes every last one', { skip }, async t => {
  const stage = await staged(t, { hooked: true, openFiles: 400 });
  const inside = new Inside(stage);
  t.equal(await inside.ask(), 200);
  for (let round = 0; round < ROUNDS; round++) {
    stage.leaseway.hook('control', 'hoard');
    // Spares may have been given back already.
    await stage.leaseway.until(() => openDescriptors(stage) >= 390);
    await besiege(t, stage, inside, () => stage.leaseway.hook('control', 'release'));
  }
  await blamesNobody(t, stage);
  inside.leave();
});
