// A cluster with little to do uses few of its backends, and all of them as soon as it needs them (B4).

import http from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';
import { runCli } from '../support/run-cli.ts';
import { SpeedyBackend } from '../support/speedy-backend.ts';

const SERVICE_MS = 40;
const PLACES = 4;
const backends = await Promise.all(
  Array.from({ length: 8 }, (_, i) => SpeedyBackend.start(`b${i}`, SERVICE_MS, PLACES)),
);
const leaseway = await Leaseway.start({
  clusters: {
    web: {
      backends: backends.map(({ id, url }) => ({ id, url })),
      capacity: { concurrency: PLACES },
      balance: { policy: 'least_request', pool: { hold: '1s', min: 2 } },
    },
  },
});
const agent = new http.Agent({ keepAlive: true });
let clients = 0;
let failed = 0;
t.teardown(async () => {
  clients = 0;
  await leaseway[Symbol.asyncDispose]();
  agent.destroy();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

/** One after the other, as long as there are to be so many clients. */
async function client(number: number): Promise<void> {
  while (number < clients)
    await new Promise<void>(resolve => {
      const request = http.get({ host: '127.0.0.1', port: leaseway.port(), agent }, response => {
        if (response.statusCode !== 200) failed += 1;
        response.resume();
        response.on('end', resolve);
      });
      request.on('error', () => {
        failed += 1;
        setTimeout(resolve, 20);
      });
    });
}
function beClients(count: number): void {
  const before = clients;
  clients = count;
  for (let i = before; i < count; i++) void client(i);
}
const status = async (): Promise<Json[]> => (await leaseway.status()).backends;
const inside = async (): Promise<number> => (await status()).filter(one => !one.outside).length;

t.test('few serve while little comes, all when much does', async t => {
  beClients(3);
  const few = await leaseway.until(async () => {
    const size = await inside();
    return size <= 3 && size;
  }, 40_000);
  const before = new Map((await status()).map(({ id, requests }) => [id, requests]));
  await leaseway.until(async () => {
    const sum = (await status()).reduce((all, { id, requests }) => all + requests - before.get(id), 0);
    return sum > 60;
  });
  const served = (await status()).filter(({ id, requests }) => requests - before.get(id) > 5);
  t.ok(served.length <= few + 1, `${served.length} of 8 serve, ${few} are in the pool`);
  t.match(
    (await leaseway.admin('/metrics')).text,
    /leaseway_backend_outside_pool\{cluster="web",backend="b\d"\} 1/,
  );
  const told = await runCli([
    ...['explain', 'web', '--admin', `http://127.0.0.1:${leaseway.serving.admin.port}`],
    ...['--token-file', join(leaseway.folder, 'state/admin-token')],
  ]);
  t.match(told.out, /outside the pool/, told.err);

  beClients(26);
  const grownFrom = performance.now();
  await leaseway.until(async () => (await inside()) === 8);
  t.comment(`all of 8 serve ${Math.round(performance.now() - grownFrom)} ms after the load came`);
  t.equal(failed, 0, 'nobody was refused meanwhile');
});
