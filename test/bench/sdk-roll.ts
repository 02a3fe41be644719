// What a roll costs clients of the SDK: `node test/bench/sdk-roll.ts [clients]`. Three backends behind the running proxy are drained and taken back in turn,
// while every client sends a numbered message a second in the envelope.

import { once } from 'node:events';
import { MemoryEnvelopeStore } from '../../lib/server/index.ts';
import { Leaseway } from '../support/leaseway.ts';
import { percentile } from '../support/percentile.ts';
import { SdkBackend } from '../support/sdk-backend.ts';
import { listed, SdkClient, tally } from '../support/sdk-stage.ts';
import { until } from '../support/until.ts';

const COUNT = Number(process.argv[2] ?? 500);
const PACE = 100;
const AT_ONCE = 50;

const store = new MemoryEnvelopeStore();
const backends = await Promise.all(['b1', 'b2', 'b3'].map(id => SdkBackend.start(id, { store })));
const leaseway = await Leaseway.start({
  config: {
    workers: 1,
    // All clients come from one address: a WebSocket, a stream and calls each.
    listeners: [{ address: '127.0.0.1:0', max_connections_per_client: 10_000 }],
    routes: [{ name: 'chat', cluster: 'web' }],
  },
  clusters: {
    web: {
      backends: backends.map(({ id, url }) => ({ id, url })),
      websocket: { migrate: 'sdk' },
      drain: { pace: PACE },
      migration: { per_second: 2 * PACE },
    },
  },
});
const clients: SdkClient[] = [];
while (clients.length < COUNT) {
  const some = Array.from(
    { length: AT_ONCE },
    (_, i) => new SdkClient(leaseway, `c${clients.length + i}`, true),
  );
  await Promise.all(some.map(({ socket }) => once(socket, 'open')));
  clients.push(...some);
}
let turn = 0;
const talking = setInterval(() => {
  turn = (turn + 1) % 100;
  for (let i = turn; i < clients.length; i += 100) clients[i]!.send();
}, 10);
const startMs = performance.now();
for (const { id } of backends) {
  await leaseway.admin(`/v1/backends/web/${id}/drain`, 'POST', { force: true });
  await leaseway.until(
    async () => (await listed({ leaseway })).every(({ backend }) => backend !== id),
    120_000,
  );
  await leaseway.admin(`/v1/backends/web/${id}/undrain`, 'POST');
}
const tookMs = performance.now() - startMs;
clearInterval(talking);
await until('all is answered', () => clients.every(({ got, sent }) => got.length >= sent), 60_000);
const moves = clients.flatMap(client => client.moves);
const holds = moves.map(({ holdMs }) => holdMs);
const at = (q: number): string => percentile(holds, q).toFixed(1);
const { messages, lost, doubled, reordered } = tally(backends, clients);
console.log(
  `${COUNT} clients, ${messages} messages each way, ${moves.length} moves in ${(tookMs / 1000).toFixed(1)} s, ${moves.filter(({ clean }) => !clean).length} unclean`,
);
console.log(
  `lost ${lost}, doubled ${doubled}, reordered ${reordered}, disconnected ${clients.reduce((sum, one) => sum + one.disconnects, 0)}`,
);
console.log(`held p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
for (const { socket } of clients) socket.close();
await leaseway[Symbol.asyncDispose]();
for (const backend of backends) backend.kill();
