// Clients that leave in every way there is: nothing of them is left at the backends, in the gauges, in memory.

import { connect, type Socket } from 'node:net';
import t from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';
import { EchoSocket } from '../support/roll.ts';
import { RollBackend } from '../support/roll-backends.ts';

const MID_RESPONSE = 1_000;
const MID_REQUEST = 300;
const IN_LINE = 100;
const WEBSOCKETS = 100;
/** Connections at once: below what one client may have. */
const BATCH = 250;
const ROUNDS = 4;
const MB = 1024 * 1024;

/** Sends the bytes; `heard` says that the first of the answer have come. */
function client(port: number, bytes: string): { socket: Socket; heard: boolean } {
  const one = { socket: connect(port, '127.0.0.1'), heard: false };
  one.socket.on('error', () => {});
  one.socket.once('data', () => {
    one.heard = true;
    // It takes no more: what is on its way stands in the proxy's buffers when it leaves.
    one.socket.pause();
  });
  one.socket.write(bytes);
  return one;
}

t.test('a thousand clients that leave leave nothing behind', async t => {
  await using backend = await RollBackend.start();
  await using narrow = await RollBackend.start();
  await using leaseway = await Leaseway.start({
    hooked: true,
    config: {
      workers: 2,
      routes: [
        { match: { path: '/narrow' }, cluster: 'narrow', rewrite: { prefix: '/hold' } },
        { cluster: 'web' },
      ],
    },
    clusters: {
      web: { backends: [backend.url], timeouts: { keep_alive: '200ms' } },
      narrow: {
        backends: [narrow.url],
        limits: { concurrency: 1, queue: 400, queue_timeout: '60s' },
        timeouts: { keep_alive: '200ms' },
      },
    },
  });
  const port = leaseway.port();
  const { until } = { until: leaseway.until.bind(leaseway) };
  const sum = async (counter: string): Promise<number> =>
    (await leaseway.status()).workers.reduce((all: number, { counters }: Json) => all + counters[counter], 0);

  const leaveMidResponse = async (): Promise<void> => {
    for (let done = 0; done < MID_RESPONSE; done += BATCH) {
      const clients = Array.from({ length: BATCH }, () =>
        client(port, 'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n'),
      );
      await until(() => clients.every(one => one.heard));
      for (const { socket } of clients) socket.destroy();
      await until(() => backend.active === 0);
    }
  };
  const leaveMidRequest = async (): Promise<void> => {
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n';
    const clients = Array.from({ length: MID_REQUEST }, () => client(port, head + 'x'.repeat(5_000)));
    await until(() => backend.active === MID_REQUEST);
    for (const { socket } of clients) socket.destroy();
    await until(() => backend.active === 0);
  };
  const leaveTheLine = async (): Promise<void> => {
    const clients = Array.from({ length: IN_LINE + 1 }, () =>
      client(port, 'GET /narrow HTTP/1.1\r\nHost: a\r\n\r\n'),
    );
    await until(async () => narrow.held === 1 && (await sum('queued')) === IN_LINE);
    for (const { socket } of clients) socket.destroy();
    await until(() => narrow.active === 0);
    t.ok(
      narrow.requests <= 2 * ROUNDS + IN_LINE,
      'those in line were never sent, but for some that met the others leaving',
    );
  };
  const cutWebSockets = async (): Promise<void> => {
    const sockets = await Promise.all(Array.from({ length: WEBSOCKETS }, () => EchoSocket.open(port)));
    await until(
      async () => sockets.every(socket => socket.echoed > 0) && (await sum('tunnels')) === WEBSOCKETS,
    );
    for (const socket of sockets) socket.cut();
    await until(() => backend.webSockets === 0);
  };

  const rounds: { heapMb: number; rssMb: number; handles: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await leaveMidResponse();
    await leaveMidRequest();
    await leaveTheLine();
    await cutWebSockets();
    for (const gauge of ['requestsActive', 'tunnels', 'queued', 'connections', 'upstreamConnections'])
      await until(async () => (await sum(gauge)) === 0);
    await until(() => backend.connections === 0 && narrow.connections === 0);
    const { backends } = await leaseway.status();
    t.ok(backends.every((one: Json) => one.inFlight === 0 && one.tunnels === 0));
    let heap = 0;
    let handles = 0;
    let rss = 0;
    for (const thread of ['worker-0', 'worker-1', 'control']) {
      const measure = await leaseway.measure(thread);
      heap += measure.heapUsed;
      rss = measure.rss;
      const { TCPSocketWrap = 0, TCPServerWrap = 0, Timeout = 0 } = measure.handles;
      handles += TCPSocketWrap + TCPServerWrap + Timeout;
    }
    rounds.push({ heapMb: heap / MB, rssMb: rss / MB, handles });
  }
  const leaving = MID_RESPONSE + MID_REQUEST + IN_LINE + WEBSOCKETS;
  for (const [i, { heapMb, rssMb, handles }] of rounds.entries())
    t.comment(
      `after ${leaving * (i + 1)} clients that left: heap ${heapMb.toFixed(1)} MB, RSS ${rssMb.toFixed(0)} MB, ${handles} sockets, servers and timers`,
    );
  // The first round warms up.
  const [, second] = rounds;
  const last = rounds.at(-1)!;
  t.ok(last.heapMb < second!.heapMb + 3, 'heap does not grow');
  t.ok(last.rssMb < second!.rssMb + 60, 'RSS does not grow');
  t.ok(last.handles <= second!.handles + 4, 'handles do not grow');
});
