// `leaseway run` learns the CPU of a real backend by every way there is, and none of them, gone wrong, costs a request.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { type Backend, goodBackend, rawBackend } from '../../support/backends.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { OrcaServer } from '../../support/orca-server.ts';

const BIN = join(import.meta.dirname, '../../../bin/leaseway.ts');
const REPORT = 'endpoint-load-metrics';

const backends: Backend[] = [];
const backend = async (handle: Parameters<typeof goodBackend>[1]): Promise<Backend> => {
  const one = await goodBackend({ protocol: 'http1', secure: false }, handle);
  backends.push(one);
  return one;
};
const header = await backend((_, response) => {
  response.setHeader(REPORT, 'TEXT cpu_utilization=0.11');
  response.end('ok');
});
const trailer = await backend((_, response) => {
  response.writeHead(200, { trailer: REPORT });
  response.write('ok');
  response.addTrailers({ [REPORT]: 'JSON {"cpu_utilization":0.22}' });
  response.end();
});
const page = await backend((request, response) =>
  response.end(request.url === '/metrics' ? 'app_cpu 0.33\n' : 'ok'),
);
const orca = await OrcaServer.start({ cpu_utilization: 0.44 });
const line = await rawBackend(false, socket => socket.end('45%\n'));
/** Takes connections and says nothing, or only garbage. */
const silent = await rawBackend(false, () => {});
const garbage = await rawBackend(false, socket => socket.end(Buffer.alloc(5_000, 0xff)));
backends.push(line, silent, garbage);

const agent = spawn(
  process.execPath,
  [
    BIN,
    'agent',
    '--metrics',
    '127.0.0.1:0',
    '--check',
    '127.0.0.1:0',
    '--orca',
    '127.0.0.1:0',
    '--interval',
    '100ms',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const places = await placesOf(agent, 3);

async function placesOf(child: ChildProcess, count: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const text of createInterface({ input: child.stdout! })) {
    const [, name, port] = /^(\w+) on .*:(\d+)$/.exec(text)!;
    found[name!] = Number(port);
    if (Object.keys(found).length === count) break;
  }
  return found;
}

const fast = { interval: '100ms', timeout: '100ms' };
const cluster = (to: Backend, signals: unknown) => ({ backends: [{ id: 'one', url: to.url }], signals });
const scrape = (port: number, more: object = {}) => ({
  scrape: { url: `http://{host}:${port}/metrics`, ...fast, ...more },
});
const faulty = (port: number) => [
  { orca_stream: { port } },
  { agent_check: { port, ...fast } },
  scrape(port),
];
const clusters = {
  header: cluster(header, ['orca']),
  trailer: cluster(trailer, ['orca']),
  stream: cluster(page, [{ orca_stream: { port: orca.port } }]),
  check: cluster(page, [{ agent_check: { port: line.port, percent: 'idle', ...fast } }]),
  page: cluster(page, [scrape(page.port, { metrics: { cpu: 'app_cpu' } })]),
  agent_page: cluster(page, [scrape(places.metrics!)]),
  agent_check: cluster(page, [{ agent_check: { port: places.check, percent: 'idle', ...fast } }]),
  agent_stream: cluster(page, [{ orca_stream: { port: places.orca, interval: '100ms' } }]),
  silent: cluster(page, faulty(silent.port)),
  garbage: cluster(page, faulty(garbage.port)),
};
const leaseway = await Leaseway.start({
  config: {
    routes: Object.keys(clusters).map(name => ({ name, match: { path: `/${name}` }, cluster: name })),
  },
  clusters,
});
t.teardown(async () => {
  agent.kill();
  await leaseway[Symbol.asyncDispose]();
  await orca[Symbol.asyncDispose]();
  for (const one of backends) await one.close();
});

const get = async (name: string): Promise<number> => (await fetch(`${leaseway.url()}/${name}`)).status;
async function shown(name: string) {
  const { backends } = await leaseway.status();
  return backends.find((one: { cluster: string }) => one.cluster === name);
}

for (const [name, source, cpu] of [
  ['header', 'orca', 0.11],
  ['trailer', 'orca', 0.22],
  ['page', 'scrape', 0.33],
  ['stream', 'orca_stream', 0.44],
  ['check', 'agent_check', 0.55],
] as const)
  t.test(`CPU by ${name}`, async t => {
    t.equal(await get(name), 200);
    const reading = await leaseway.until(async () =>
      (await shown(name)).signals.find(({ signal }: { signal: string }) => signal === 'cpu'),
    );
    t.match(reading, { source, ageMs: Number });
    t.ok(Math.abs(reading.value - cpu) < 1e-6, `${reading.value}`);
    t.match((await shown(name)).sources, [{ source, ok: true }]);
  });

for (const [name, source] of [
  ['agent_page', 'scrape'],
  ['agent_check', 'agent_check'],
  ['agent_stream', 'orca_stream'],
] as const)
  t.test(`the load of this machine by leaseway agent, ${source}`, async t => {
    const reading = await leaseway.until(async () =>
      (await shown(name)).signals.find(
        ({ signal, source: from }: { signal: string; source: string }) => signal === 'cpu' && from === source,
      ),
    );
    t.ok(reading.value >= 0 && reading.value <= 1, `${reading.value}`);
    t.ok(reading.ageMs < 5_000, `${reading.ageMs} ms old`);
  });

for (const name of ['silent', 'garbage'])
  t.test(`sources that are ${name} cost no request`, async t => {
    await leaseway.until(async () =>
      (await shown(name)).sources.some(
        ({ failures, refused }: Record<string, number>) => failures! + refused! > 1,
      ),
    );
    const statuses = await Promise.all(Array.from({ length: 50 }, () => get(name)));
    t.same(new Set(statuses), new Set([200]));
    t.match(await shown(name), { state: 'up', effectiveWeight: 1, signals: [] });
  });

t.test('an agent takes its backend out and gives it back; leases, weight and state follow', async t => {
  let says = 'drain\n';
  const server = createTcp((socket: Socket) => {
    socket.on('error', () => {});
    socket.end(says);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const urls = [page.url, header.url, trailer.url];
  leaseway.rewrite({
    config: { routes: [{ cluster: 'three' }] },
    clusters: {
      ...clusters,
      three: {
        backends: urls.map((url, i) => ({ id: `b${i}`, url })),
        signals: [{ agent_check: { port, ...fast } }],
        balance: { panic: 0 },
      },
    },
  });
  const { status, body } = await leaseway.reload();
  t.equal(status, 200, JSON.stringify(body));
  const states = async () =>
    (await leaseway.status()).backends
      .filter((one: { cluster: string }) => one.cluster === 'three')
      .map(({ state, effectiveWeight }: { state: string; effectiveWeight: number }) => [
        state,
        effectiveWeight,
      ]);
  const become = (state: string, weight: number) =>
    leaseway.until(async () => {
      const all = await states();
      return all.length === 3 && all.every((one: unknown[]) => one[0] === state && one[1] === weight);
    });
  await become('draining', 0);
  // The workers follow at the next tick.
  await leaseway.until(async () => (await get('')) === 503);
  says = 'ready 50%\n';
  await become('up', 0.5);
  says = 'down#on fire\n';
  await become('down', 0);
  says = 'up 100%\n';
  await become('up', 1);
  await leaseway.until(async () => (await get('')) === 200);
});
