// A backend that is frozen under load gets no new work long before its health check notices, and is back when it answers again (B2).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';
import t from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';

const PER_SECOND = 200;
/** Of the machine that runs this, not of the proxy: it looks twenty times a second after 150 ms, and here much else may run. */
const SOON_MS = 1_000;
const HEALTH_EVERY_S = 10;

/** A process of its own, since only that can be stopped. */
const SERVER = `
  const server = require('node:http').createServer((request, response) => {
    if (request.url === '/stream') return void response.write('data: 1\\n\\n');
    request.resume();
    request.on('end', () => setTimeout(() => response.end('ok'), 5));
  });
  server.keepAliveTimeout = 600000;
  process.stdin.on('end', () => process.exit()).resume();
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

async function startBackend(): Promise<{ process: ChildProcess; url: string }> {
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [port] = await once(createInterface({ input: child.stdout! }), 'line');
  return { process: child, url: `http://127.0.0.1:${port}` };
}

const backends = await Promise.all([1, 2, 3].map(startBackend));
const cluster = (policy: string) => ({
  backends: backends.map(({ url }, i) => ({ id: `b${i}`, url })),
  balance: { policy },
  health: { http: { path: '/' }, interval: `${HEALTH_EVERY_S}s`, timeout: '5s', fall: 2 },
});
const leaseway = await Leaseway.start({
  clusters: { turns: cluster('round_robin'), web: cluster('predictive') },
  config: {
    routes: [{ match: { path: '/turns' }, cluster: 'turns' }, { cluster: 'web' }],
  },
});
const agent = new http.Agent({ keepAlive: true });
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  agent.destroy();
  for (const backend of backends) backend.process.kill('SIGKILL');
});

/** An open loop: the frozen one's requests do not hold up the others. */
function load(path: string): Disposable {
  const timer = setInterval(() => {
    const request = http.get({ host: '127.0.0.1', port: leaseway.port(), path, agent }, answer =>
      answer.resume(),
    );
    request.on('error', () => {});
  }, 1000 / PER_SECOND);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const backendOf = async (name: string, id: string): Promise<Json> =>
  (await leaseway.status()).backends.find((one: Json) => one.cluster === name && one.id === id);

for (const [name, path] of [
  ['turns', '/turns'],
  ['web', '/web'],
] as const)
  t.test(`${name}: a frozen backend gets no new work, and does again when it is thawed`, async t => {
    using _ = load(path);
    const victim = backends[1]!.process;
    await leaseway.until(async () => (await backendOf(name, 'b1')).requests > PER_SECOND);
    victim.kill('SIGSTOP');
    const frozenMs = performance.now();
    let sent = -1;
    let lastMs = frozenMs;
    let shown: Json;
    await leaseway.until(async () => {
      shown = await backendOf(name, 'b1');
      if (shown.requests !== sent) {
        sent = shown.requests;
        lastMs = performance.now();
      }
      return performance.now() - lastMs > 600;
    });
    const lagMs = Math.round(lastMs - frozenMs);
    t.comment(`${name}: the last new request ${lagMs} ms after the freeze, ${shown.inFlight} wait there`);
    t.ok(lagMs < SOON_MS, `${lagMs} ms`);
    t.equal(shown.health, 'up', 'its checks have not noticed');
    // Two must wait before the gate believes it. `predictive` may have seen it by the first and sent no second.
    if (name === 'turns' || shown.gate !== 'open') t.match(shown.gateReason, /stands still|predicted load/);
    else t.ok(shown.inFlight < 2, `${shown.inFlight} wait at an open gate`);
    victim.kill('SIGCONT');
    const thawedMs = performance.now();
    await leaseway.until(async () => (await backendOf(name, 'b1')).requests > sent);
    t.comment(`${name}: new work again ${Math.round(performance.now() - thawedMs)} ms after the thaw`);
    await leaseway.until(async () => (await backendOf(name, 'b1')).gate === 'open');
  });

t.test('streams and slow uploads are nobody’s standstill', async t => {
  const open = (method: string): http.ClientRequest => {
    const request = http.request({
      ...{ host: '127.0.0.1', port: leaseway.port(), method, path: method === 'GET' ? '/stream' : '/upload' },
      ...(method === 'POST' ? { headers: { 'transfer-encoding': 'chunked' } } : {}),
    });
    request.on('error', () => {});
    if (method === 'POST') request.write('half');
    else request.end();
    return request;
  };
  const held = [...Array(9).keys()].map(i => open(i % 3 === 0 ? 'GET' : 'POST'));
  const endMs = performance.now() + 1_500;
  const gates = new Set<string>();
  await leaseway.until(async () => {
    // They are load, which may gate too.
    for (const { gateReason } of (await leaseway.status()).backends)
      if (/stands still/.test(gateReason)) gates.add(gateReason);
    return performance.now() > endMs;
  });
  t.strictSame([...gates], [], 'none is said to stand still');
  for (const request of held) request.destroy();
});
