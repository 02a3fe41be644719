// Peers that vanish without a word: nothing tells a proxy but time. Each is noticed within what is configured, and nothing of it stays.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { byCable, byRelay, Cast, type Distance, mayMakeNetworks } from '../../support/distance.ts';
import { type Line, Stage } from './stage.ts';

/** Set for the process that runs in a network of its own. */
const INSIDE = 'inside';
/** Every time-out that is not the kernel's. */
const TIMEOUT_MS = 3_000;
/** Of a keep-alive of 1 s: ten probes follow, a second apart. */
const KERNEL_MS = 11_000;
/** A busy machine, sweeps in between. */
const LATE_MS = 6_000;

/** As /proc/net/tcp has it. */
const LISTENING = '0A';

interface Case {
  readonly path: string;
  /** By which it is noticed where the kernel can; else it is the time-out. */
  readonly byKernel: boolean;
  readonly error: RegExp;
  open(): Promise<number>;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
const KEPT = 'GET /far/whole HTTP/1.1\r\nHost: a\r\n\r\n';
const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
const post = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nthe first bytes`;

async function silence(t: Test, distance: Distance, kernel: boolean): Promise<void> {
  using here = new Cast();
  const there = distance.cast;
  const near = `http://127.0.0.1:${await here.serve()}`;
  const { host, port } = await distance.theirs(await there.serve());
  const far = {
    backends: [`http://${host}:${port}`],
    retry: { attempts: 1 },
    outlier: { consecutive_failures: 0 },
  };
  const timeouts = { tcp_keep_alive: '1s', keep_alive: '4s', connect: '3s', head: '3s', idle: '3s' };
  const to = (cluster: string): Record<string, unknown> => ({
    name: cluster,
    match: { path: `/${cluster}` },
    cluster,
  });
  await using stage = await Stage.open({
    config: {
      listeners: [{ address: '0.0.0.0:0' }],
      limits: {
        tcp_keep_alive: '1s',
        ...{ head_timeout: '3s', body_idle_timeout: '3s', write_idle_timeout: '3s' },
        // Where the kernel sees it, nobody else shall.
        ...(kernel ? {} : { keep_alive: '3s', tunnel_idle: '3s' }),
      },
    },
    routes: [to('near'), to('far'), to('still')],
    clusters: {
      near: { backends: [near] },
      far: { ...far, timeouts },
      still: { ...far, timeouts: { ...timeouts, idle: kernel ? '0' : '3s' } },
    },
  });
  const proxy = { host: '127.0.0.1', port: stage.port };
  const distant = await distance.ours(stage.port);

  const cases: Case[] = [
    {
      path: '/near/nothing',
      byKernel: false,
      error: /^REQUEST_TIMEOUT$/,
      open: () => there.call(distant, post('/near/nothing'), ''),
    },
    {
      path: '/near/endless',
      byKernel: false,
      error: /^CLIENT_/,
      open: () => there.call(distant, get('/near/endless'), '200 OK'),
    },
    {
      path: '/near/tunnel',
      byKernel: true,
      error: kernel ? /^CLIENT_/ : /IDLE|TIMEOUT/,
      open: () => there.call(distant, upgrade('/near/tunnel'), '101'),
    },
    {
      path: '/far/tunnel',
      byKernel: true,
      error: /./,
      open: () => here.call(proxy, upgrade('/far/tunnel'), '101'),
    },
    {
      path: '/far/half',
      byKernel: false,
      error: /^BODY_TIMEOUT$/,
      open: () => here.call(proxy, get('/far/half'), 'half'),
    },
    {
      path: '/still/events',
      byKernel: true,
      error: kernel ? /./ : /^BODY_TIMEOUT$/,
      open: () => here.call(proxy, get('/still/events'), 'one'),
    },
    {
      path: '/far/nothing',
      byKernel: false,
      error: /^HEAD_TIMEOUT$/,
      open: () => here.call(proxy, get('/far/nothing'), ''),
    },
  ];
  // Idle on both sides: a client's kept connection, and through it one to a backend.
  await there.call(distant, KEPT, 'whole');
  const calls = await Promise.all(cases.map(one => one.open()));
  await stage.leaseway.until(async () => (await stage.count('tunnels')) === 2);
  await stage.leaseway.until(async () => (await stage.count('requestsActive')) >= 5);

  const startMs = performance.now();
  distance.vanish();
  const late = await here.call(proxy, get('/far/late'), '504');
  const noticed = await Promise.all(
    cases.map(async (one): Promise<[Case, Line, number]> => {
      const line = await stage.line(({ path }) => path === one.path);
      return [one, line, performance.now() - startMs];
    }),
  );
  for (const [{ path, byKernel, error }, line, tookMs] of noticed) {
    const dueMs = kernel && byKernel ? KERNEL_MS : TIMEOUT_MS;
    t.match(line.error, error, `${path}: ${line.error} (${line.detail}) after ${tookMs.toFixed(0)} ms`);
    t.ok(line.detail.length > 0, `${path}: the log says why`);
    t.ok(tookMs > dueMs - 1_500 && tookMs < dueMs + LATE_MS, `${path}: in its time`);
  }
  // On a new connection, or on the kept one, which looks as good as any.
  t.match((await stage.lineOf('/far/late')).error, /^(CONNECT|HEAD)_TIMEOUT$/);

  // Whoever is still there was told.
  for (const [i, { path }] of cases.entries()) if (!path.startsWith('/near')) await here.closed(calls[i]!);
  stage.steady.unharmed(t, 50);
  await stage.steady.stop();
  await stage.quiet('near', 'far', 'still');
  t.equal(await stage.count('requestsActive'), 0);
  t.equal(await stage.count('tunnels'), 0);
  await here.closed(late);
  const { pid, serving } = stage.leaseway;
  await stage.leaseway.until(() => connectionsOf(pid, serving.admin.port).length === 0, LATE_MS);
  t.pass(`no connection is left after ${(performance.now() - startMs).toFixed(0)} ms`);
}

/** TCP connections of a process as the kernel lists them, by their far end; those that listen, and our own to the admin API, left out. */
function connectionsOf(pid: number, adminPort: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).map(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    }),
  );
  const rows = ['tcp', 'tcp6'].flatMap(name =>
    readFileSync(`/proc/${pid}/net/${name}`, 'latin1').split('\n').slice(1),
  );
  return rows
    .map(row => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state !== LISTENING && own.has(`socket:[${inode}]`))
    .filter(([, local]) => Number.parseInt(local!.split(':')[1]!, 16) !== adminPort)
    .map(([, , remote]) => remote!);
}

if (process.argv[2] === INSIDE) {
  t.test('by a cable that goes dead', async t => {
    await using distance = await byCable();
    await silence(t, distance, true);
  });
} else {
  t.test('by a relay that stops forwarding', async t => {
    await using distance = byRelay();
    await silence(t, distance, false);
  });
  if (mayMakeNetworks()) {
    const words = ['--map-root-user', '--net', process.execPath, import.meta.filename, INSIDE];
    t.spawn('unshare', words, 'in a network of its own');
  } else t.comment('NO NETWORKS may be made here: the kernel’s own keep-alive was not seen at work');
}
