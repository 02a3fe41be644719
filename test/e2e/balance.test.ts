// Policies, weights and backends that operators add, through the running program (SPEC P9, P10).

import { once } from 'node:events';
import http from 'node:http';
import t from 'tap';
import { Leaseway } from '../support/leaseway.ts';
import { Mirror } from '../support/mirror.ts';

const POLICIES = [
  'predictive',
  'round_robin',
  'random',
  'least_request',
  'p2c',
  'peak_ewma',
  'prequal',
  'consistent_hash',
  'maglev',
];
const KEYED = new Set(['consistent_hash', 'maglev']);
const mirrors = await Promise.all(['one', 'two', 'three'].map(name => Mirror.start(name)));
const [one, two, three] = mirrors as [Mirror, Mirror, Mirror];
const backends = [
  { id: 'one', url: one.url },
  { id: 'two', url: two.url },
  { id: 'three', url: three.url, weight: 2 },
];
const clusters = Object.fromEntries(
  POLICIES.map(policy => [
    policy,
    {
      backends,
      balance: { policy, ...(KEYED.has(policy) && { hash: { by: 'header', name: 'X-User' } }) },
    },
  ]),
);
const leaseway = await Leaseway.start({
  config: {
    routes: POLICIES.map(policy => ({ name: policy, match: { path: `/${policy}` }, cluster: policy })),
  },
  clusters,
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  for (const mirror of mirrors) await mirror[Symbol.asyncDispose]();
});

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
t.teardown(() => agent.destroy());

async function backendOf(path: string, headers: http.OutgoingHttpHeaders = {}): Promise<string> {
  const request = http.get({ host: '127.0.0.1', port: leaseway.port(), path, agent, headers });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  return `${response.headers['x-backend'] ?? response.statusCode}`;
}

async function shares(
  path: string,
  requests: number,
  headers: (i: number) => http.OutgoingHttpHeaders = () => ({}),
) {
  const counts = new Map<string, number>();
  let next = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next < requests) {
        const backend = await backendOf(path, headers(next++));
        counts.set(backend, (counts.get(backend) ?? 0) + 1);
      }
    }),
  );
  return counts;
}

for (const policy of POLICIES) {
  t.test(`${policy} uses every backend, and the heavier one more`, async t => {
    const counts = await shares(`/${policy}`, 800, i => ({ 'X-User': `user-${i}` }));
    t.same([...counts.keys()].sort(), ['one', 'three', 'two']);
    const [light, heavy] = [counts.get('one')! + counts.get('two')!, counts.get('three')!];
    t.ok(heavy > 0.3 * light && heavy < 3 * light, JSON.stringify([...counts]));
  });
}

t.test('round_robin keeps to the weights', async t => {
  const counts = await shares('/round_robin', 800);
  t.ok(Math.abs(counts.get('three')! - 400) <= 20, JSON.stringify([...counts]));
});

t.test('consistent_hash gives one key one backend, and most keep theirs when another comes', async t => {
  const users = Array.from({ length: 200 }, (_, i) => ({ 'X-User': `stable-${i}` }));
  const where = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const user of users) found.push(await backendOf('/consistent_hash', user));
    return found;
  };
  const before = await where();
  t.same(await where(), before);
  await using four = await Mirror.start('four');
  const added = await leaseway.admin('/v1/clusters/consistent_hash/backends', 'POST', {
    id: 'four',
    url: four.url,
  });
  t.equal(added.status, 201, added.text);
  await leaseway.until(async () =>
    (await shares('/consistent_hash', 50, i => ({ 'X-User': `n${i}` }))).has('four'),
  );
  const after = await where();
  const moved = after.filter((backend, i) => backend !== before[i]).length;
  t.ok(moved > 5 && moved < 90, `${moved} of 200 moved, a fifth is fair`);
  t.ok(
    after.every((backend, i) => backend === before[i] || backend === 'four'),
    'and only to the new one',
  );
  t.equal((await leaseway.admin('/v1/backends/consistent_hash/four', 'DELETE')).status, 200);
  await leaseway.until(
    async () => !(await shares('/consistent_hash', 50, i => ({ 'X-User': `n${i}` }))).has('four'),
  );
  t.same(await where(), before, 'and back when it goes');
});

t.test('a weight of 0 takes no new work, the configured weight comes back', async t => {
  const set = (weight: number | null) => leaseway.admin('/v1/backends/p2c/one/weight', 'PUT', { weight });
  t.equal((await set(0)).status, 200);
  await leaseway.until(async () => !(await shares('/p2c', 60)).has('one'));
  t.equal((await set(null)).status, 200);
  await leaseway.until(async () => (await shares('/p2c', 60)).has('one'));
});

t.test('a backend in maintenance is left alone until it is let back', async t => {
  t.equal((await leaseway.admin('/v1/backends/random/two/maintenance', 'POST')).status, 200);
  await leaseway.until(async () => !(await shares('/random', 60)).has('two'));
  t.equal((await leaseway.admin('/v1/backends/random/two/undrain', 'POST')).status, 200);
  await leaseway.until(async () => (await shares('/random', 60)).has('two'));
});
