// What could lead forecasts astray, through the running program: a wall clock that is set, and a memory that is absurd.

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';

const IDS = ['one', 'two', 'three'];
const CLIENTS = 6;
const SERVICE_MS = 30;

const servers = IDS.map(() =>
  http.createServer((_, response) => setTimeout(() => response.end('ok'), SERVICE_MS)),
);
for (const server of servers) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}
const clusters = {
  web: {
    backends: IDS.map((id, i) => ({
      ...{ id, url: `http://127.0.0.1:${(servers[i]!.address() as AddressInfo).port}` },
    })),
    capacity: { concurrency: 10 },
  },
};
t.teardown(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** As many requests at once as there are clients; statuses that they met, 0 for none. */
function ask(leaseway: Leaseway): { readonly statuses: ReadonlySet<number>; stop(): void } {
  const agent = new http.Agent({ keepAlive: true });
  const statuses = new Set<number>();
  let asking = true;
  const one = (): void => {
    if (!asking) return;
    http
      .get({ host: '127.0.0.1', port: leaseway.port(), agent }, response => {
        statuses.add(response.statusCode!);
        response.resume();
        response.on('end', one);
      })
      .on('error', () => {
        if (asking) statuses.add(0);
      });
  };
  for (let i = 0; i < CLIENTS; i++) one();
  return {
    statuses,
    stop() {
      asking = false;
      agent.destroy();
    },
  };
}

const forecastOf = async (leaseway: Leaseway, id: string): Promise<Json> =>
  (await leaseway.admin(`/v1/forecasts/web/${id}`)).body.forecast;

async function sane(t: Test, leaseway: Leaseway): Promise<void> {
  for (const id of IDS) {
    const { load, predicted, horizons, state } = await forecastOf(leaseway, id);
    t.equal(state, 'fine', id);
    for (const figure of [load, predicted, ...horizons.flatMap(({ p50, p90 }: Json) => [p50, p90])])
      t.ok(figure >= 0 && figure < 4, `${id}: ${figure}`);
  }
}

const known = (leaseway: Leaseway): Promise<Json> =>
  leaseway.until(async () => {
    const found = await forecastOf(leaseway, 'two');
    return found?.predicted !== null && found?.seconds.length >= 5 && found;
  });

t.test('a wall clock that is set moves events, harms no forecast and fails no request', async t => {
  await using leaseway = await Leaseway.start({ clusters, hooked: true });
  const clients = ask(leaseway);
  await known(leaseway);
  await leaseway.admin('/v1/clusters/web/events', 'POST', {
    ...{ name: 'reindex', backends: ['two'], factor: 6, in: '608s', for: '1h' },
  });
  t.equal((await forecastOf(leaseway, 'two')).gate, 'open', 'it is more than ten minutes away');
  // By ten minutes: the rest is within the horizon of ten seconds.
  leaseway.hook('control', 'later');
  await leaseway.until(async () => (await forecastOf(leaseway, 'two')).gate === 'shut');
  leaseway.hook('control', 'earlier');
  leaseway.hook('control', 'earlier');
  await leaseway.until(async () => (await forecastOf(leaseway, 'two')).gate === 'open');
  const { atMs } = (await forecastOf(leaseway, 'two')).seconds.at(-1);
  await leaseway.until(async () => (await forecastOf(leaseway, 'two')).seconds.at(-1).atMs > atMs + 3_000);
  await sane(t, leaseway);
  clients.stop();
  t.same([...clients.statuses], [200]);
});

/** Every number that was learned under these keys, as large as any that is taken over; the shape stays. */
function absurd(json: unknown, keys: readonly string[], key = ''): unknown {
  if (Array.isArray(json)) return json.map(item => absurd(item, keys, key));
  if (typeof json === 'object' && json !== null)
    return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, absurd(value, keys, name)]));
  return typeof json === 'number' && keys.includes(key) ? 999 : json;
}

t.test('a memory that is absurd, or nonsense, leads nobody astray', async t => {
  const first = await Leaseway.start({ clusters });
  const before = ask(first);
  await known(first);
  before.stop();
  await first.stop();
  const state = join(first.folder, 'state');
  const file = join(state, 'forecasts.jsonl');
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const harmed = lines.map(line => {
    const { id } = JSON.parse(line) as { id?: string };
    if (id === 'one') return JSON.stringify(absurd(JSON.parse(line), ['regression', 'flatRegression']));
    if (id === 'two') return JSON.stringify(absurd(JSON.parse(line), ['offsets']));
    return id === 'three' ? line.slice(0, -30) : line;
  });
  t.equal(harmed.filter((line, i) => line !== lines[i]).length, IDS.length);
  writeFileSync(file, `${[head, ...harmed].join('\n')}\n`);
  await using again = await Leaseway.start({ clusters, config: { state: { dir: state } } });
  t.ok(again.log.some(line => line.includes('1 lines cannot be read; those backends begin anew')));
  const clients = ask(again);
  await known(again);
  await sane(t, again);
  await again.until(async () => {
    const found = await Promise.all(IDS.map(id => forecastOf(again, id)));
    return found.every(({ predicted, load, gate }) => gate === 'open' && predicted < load + 0.3);
  });
  clients.stop();
  t.same([...clients.statuses], [200]);
});
