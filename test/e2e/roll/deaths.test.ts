// Threads that die or hang under load: a worker takes its own connections along and nothing else, the control thread takes nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Json } from '../../support/leaseway.ts';
import { reportLines } from '../../support/load.ts';
import { EchoSocket, rollStage, type Stage } from '../../support/roll.ts';
import { stretched } from '../../support/stretch.ts';

/** HTTP/2 in clear and over TLS, every third request with a body. */
const HTTP2 = {
  http2: { connections: 3, streams: 4, thinkMs: 5 },
  http2Tls: { connections: 3, streams: 4, thinkMs: 5 },
} as const;

/** Kept-alive and new connections both die with their worker; nothing else may be the reason of a failure. */
/** A connection that ended under its request, as clients say it; an HTTP/2 stream that closed without a head has status 0 and no error. */
const CUT = /socket hang up|ECONNRESET|ECONNREFUSED|EPIPE|HTTP2|RST 8|answer cut|status 0: $/;

/** On a machine of its own: what a test measures is divided by how much longer things take at that moment. */
const AGAIN_WITHIN_MS = 1_000;

/** Resolves once this worker has accepted a connection. */
async function acceptsAgain(stage: Stage, row: number): Promise<void> {
  const accepted = async (): Promise<number> =>
    (await stage.leaseway.status()).workers[row].counters.connectionsAccepted;
  const before = await accepted();
  await stage.leaseway.until(async () => (await accepted()) > before);
}

/** Once the load has ended: everything that is counted up was counted down. */
async function nothingLeft(stage: Stage): Promise<void> {
  await stage.leaseway.until(async () => {
    const { workers, backends } = await stage.leaseway.status();
    return (
      workers.every(
        ({ counters }: { counters: Record<string, number> }) =>
          counters.requestsActive === 0 && counters.queued === 0 && counters.tunnels === 0,
      ) &&
      backends.every((one: { inFlight: number; tunnels: number }) => one.inFlight === 0 && one.tunnels === 0)
    );
  });
}

async function rowsOf(stage: Stage): Promise<number[]> {
  const { items } = (await stage.leaseway.admin('/v1/connections?limit=1000')).body;
  const rows = [0, 0];
  for (const { id } of items as { id: string }[]) rows[Number(id.split('-')[0])]! += 1;
  return rows;
}

// `exit` and a full heap tear the thread down from outside, while its HTTP/2 clients are still sending.
for (const act of ['exit', 'throw', 'fill'] as const) {
  t.test(`a worker that ends by ${act} takes its own connections along, no others`, async t => {
    await using stage = await rollStage({}, { hooked: true });
    const { leaseway, backends } = stage;
    const sockets = await Promise.all(Array.from({ length: 30 }, () => EchoSocket.open(leaseway.port())));
    await leaseway.until(() => sockets.every(socket => socket.echoed > 0));
    const [own, others] = await rowsOf(stage);
    t.equal(own! + others!, 30);
    await using load = await stage.load(HTTP2);
    leaseway.hook('worker-0', act);
    await leaseway.until(() => leaseway.log.some(line => line.includes('a worker died')), 60_000);
    const startMs = performance.now();
    const { stretch } = await stretched(acceptsAgain(stage, 0));
    const backMs = performance.now() - startMs;
    t.ok(backMs / stretch <= AGAIN_WITHIN_MS, 'it serves again within a second');
    await leaseway.until(() => sockets.filter(socket => socket.closed !== null).length >= own!);
    const echoed = sockets.map(socket => socket.echoed);
    const alive = (): number[] => sockets.flatMap((one, i) => (one.closed === null ? [i] : []));
    await leaseway.until(() => alive().every(i => sockets[i]!.echoed > echoed[i]! + 3));
    t.equal(alive().length, others, 'the other worker’s WebSockets go on');
    const soFar = (await load.report()).failed;
    const report = await load.stop();
    t.comment(reportLines(`worker killed (${act}), accepts again after ${backMs.toFixed(0)} ms`, report));
    t.comment(`threads took ${stretch.toFixed(1)} times their CPU time to start meanwhile`);
    t.same(
      Object.keys(report.failures).filter(reason => !CUT.test(reason)),
      [],
      'whoever fails was cut',
    );
    t.equal(report.failed, soFar, 'no failure once it is back');
    t.match(leaseway.log.join('\n'), /a worker died; its connections are lost/);
    for (const socket of sockets) socket.cut();
    await nothingLeft(stage);
    await leaseway.until(() => backends.every(backend => backend.active === 0));
    t.ok((await leaseway.status()).workers.every((worker: { alive: boolean }) => worker.alive));
  });
}

t.test('the control thread’s death costs no request, and what it knew is known again', async t => {
  await using stage = await rollStage({}, { hooked: true });
  const { leaseway } = stage;
  const socket = await EchoSocket.open(leaseway.port());
  const backend = (await leaseway.status()).backends.find((one: Json) => one.cluster === 'web');
  await leaseway.admin(`/v1/backends/web/${encodeURIComponent(backend.id)}/weight`, 'PUT', { weight: 0.5 });
  const before = await leaseway.status();
  await using load = await stage.load();
  leaseway.hook('control', 'exit');
  await leaseway.until(() => leaseway.log.some(line => line.includes('control thread died')));
  const startMs = performance.now();
  const { stretch } = await stretched(
    leaseway.until(async () => (await leaseway.admin('/readyz').catch(() => null))?.status === 200),
  );
  const backMs = performance.now() - startMs;
  t.comment(
    `ready again after ${backMs.toFixed(0)} ms, where threads took ${stretch.toFixed(1)} times their CPU time`,
  );
  t.ok(backMs / stretch <= AGAIN_WITHIN_MS, 'it is ready again within a second');
  const after = await leaseway.status();
  t.ok(after.generation > before.generation);
  t.equal(after.pid, before.pid);
  t.equal(after.startedMs, before.startedMs);
  t.equal(after.backends.find((one: Json) => one.id === backend.id && one.cluster === 'web').weight, 0.5);
  t.ok(after.workers[0].counters.connectionsAccepted >= before.workers[0].counters.connectionsAccepted);
  await stage.reload(3);

  // The files go bad, then the thread dies again: the configuration in use goes on, and the next good one is taken.
  writeFileSync(join(leaseway.folder, 'leaseway.yaml'), 'listeners: nonsense\n');
  leaseway.hook('control', 'throw');
  await leaseway.until(() => leaseway.log.filter(line => line.includes('control thread died')).length === 2);
  await leaseway.until(async () => (await leaseway.admin('/readyz').catch(() => null))?.status === 200);
  t.equal((await leaseway.status()).backends.length, 3);
  t.equal((await leaseway.reload()).status, 422, 'it is still bad');
  await stage.reload(6);
  const report = await load.stop();
  t.comment(reportLines('control thread killed twice', report));
  t.strictSame(report.failures, {});
  t.equal(socket.closed, null);
  socket.close();
  await nothingLeft(stage);
});

t.test('a thread that hangs is ended and replaced', async t => {
  await using stage = await rollStage({}, { hooked: true });
  const { leaseway } = stage;
  await using load = await stage.load({
    keepAlive: { connections: 2, thinkMs: 50 },
    open: { perSecond: 5 },
    http2Tls: { connections: 1, streams: 3, thinkMs: 10 },
  });
  leaseway.hook('control', 'hang');
  await leaseway.until(() => leaseway.log.some(line => line.includes('control thread hangs')), 20_000);
  await leaseway.until(async () => (await leaseway.admin('/readyz').catch(() => null))?.status === 200);
  const report = await load.stop();
  t.strictSame(report.failures, {}, 'nobody waits for the control thread');
  // Its HTTP/2 clients go on to send: what they sent is unread when it is ended.
  await using cut = await stage.load(HTTP2);
  leaseway.hook('worker-1', 'hang');
  await leaseway.until(() => leaseway.log.some(line => line.includes('a worker hangs')), 20_000);
  await using second = await stage.load(HTTP2);
  await acceptsAgain(stage, 1);
  t.ok((await cut.stop()).failed > 0, 'the hanging worker had clients');
  const failedBefore = (await second.report()).failed;
  t.equal((await second.stop()).failed, failedBefore);
  await nothingLeft(stage);
});
