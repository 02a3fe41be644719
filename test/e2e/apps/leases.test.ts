// Session leases as clients carry them: by cookie, header and query, forged, lapsed, moved from a dead backend and from a drained one.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Leaseway } from '../../support/leaseway.ts';
import { Mirror, type Seen } from '../../support/mirror.ts';

const TERM_MS = 400;
const DRAIN_MS = 1_500;
const LONG_DRAIN_MS = 60_000;
const CLIENTS = 12;

const names = ['one', 'two', 'three'];
const mirrors = await Promise.all(names.map(name => Mirror.start(name)));
const backends = mirrors.map(({ name, url }) => ({ id: name, url }));
const mortals = await Promise.all(names.map(name => Mirror.start(name)));
const mortalBackends = mortals.map(({ name, url }) => ({ id: name, url }));
const balance = { policy: 'round_robin' };
const clusters = {
  cookie: { backends, balance, sticky: { by: 'cookie' } },
  header: { backends, balance, sticky: { by: 'header' } },
  query: { backends, balance, sticky: { by: 'query' } },
  short: { backends, balance, sticky: { by: 'cookie', term: `${TERM_MS}ms` } },
  mortal: { backends: mortalBackends, balance, sticky: { by: 'cookie' } },
  checked: {
    backends: mortalBackends,
    balance,
    sticky: { by: 'cookie' },
    health: { tcp: true, interval: '100ms', fall: 2 },
  },
  dynamic: { backends, balance, sticky: { by: 'cookie', type: 'dynamic' } },
  static: { backends, balance, sticky: { by: 'cookie', type: 'static' } },
};
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: Object.keys(clusters).map(name => ({ name, match: { path: `/${name}` }, cluster: name })),
    log: { access: 'access.log' },
  },
  clusters,
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  for (const mirror of mirrors) await mirror[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly seen: Seen;
  /** The lease the answer brought, if it brought one. */
  readonly lease: string | undefined;
  readonly requestId: string;
}

type Carrier = 'cookie' | 'header' | 'query';

/** A client that carries its lease as the cluster wants it; each request is a connection of its own, so that all workers are met. */
class Client {
  lease: string | undefined;
  readonly #by: Carrier;
  readonly #cluster: string;

  constructor(cluster: string, by: Carrier = 'cookie') {
    this.#cluster = cluster;
    this.#by = by;
  }

  async ask(method = 'GET'): Promise<Answer> {
    const headers: http.OutgoingHttpHeaders = { cookie: 'theme=dark' };
    let path = `/${this.#cluster}/page?a=1`;
    if (this.lease !== undefined) {
      if (this.#by === 'cookie')
        headers.cookie = `theme=dark; leaseway-${this.#cluster}=${this.lease}; last=1`;
      else if (this.#by === 'header') headers['Leaseway-Lease'] = this.lease;
      else path = `/${this.#cluster}/page?a=1&leaseway_lease=${this.lease}&b=2`;
    }
    const request = http.request(`${leaseway.url()}${path}`, { method, headers, agent: false });
    request.end(method === 'GET' ? undefined : 'body');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const text = Buffer.concat(await response.toArray()).toString();
    if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${text}`);
    const lease = this.#granted(response.headers);
    this.lease = lease ?? this.lease;
    const seen: Seen = JSON.parse(text);
    const requestId = seen.headers['x-request-id']!;
    return { status: response.statusCode, headers: response.headers, seen, lease, requestId };
  }

  /** A first request, which must bring a lease. */
  static async leased(cluster: string, by: Carrier = 'cookie'): Promise<{ client: Client; backend: string }> {
    const client = new Client(cluster, by);
    const { seen, lease } = await client.ask();
    if (lease === undefined) throw new Error('no lease came');
    return { client, backend: seen.backend };
  }

  #granted(headers: http.IncomingHttpHeaders): string | undefined {
    if (this.#by !== 'cookie') return headers['leaseway-lease'] as string | undefined;
    const [cookie] = headers['set-cookie'] ?? [];
    return cookie?.match(`^leaseway-${this.#cluster}=([^;]+);`)?.[1];
  }
}

/** The id in a token; it stays when the lease moves. */
const idOf = (token: string | undefined): string =>
  Buffer.from(token ?? '', 'base64url')
    .subarray(5, 13)
    .toString('hex');

/** What the access log says of the lease of a request. */
async function decisionOn({ requestId }: Answer): Promise<string> {
  const path = join(leaseway.folder, 'access.log');
  const line = await leaseway.until(() => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return text.split('\n').find(line => line.includes(requestId));
  });
  return JSON.parse(line).lease;
}

async function rejected(): Promise<number> {
  const { workers } = await leaseway.status();
  return workers.reduce(
    (sum: number, { counters }: { counters: { leaseTokensRejected: number } }) =>
      sum + counters.leaseTokensRejected,
    0,
  );
}

for (const by of ['cookie', 'header', 'query'] as const) {
  t.test(`by ${by}: every client stays where it was placed, and no backend sees the lease`, async t => {
    const homes = new Set<string>();
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const { client, backend } = await Client.leased(by, by);
        homes.add(backend);
        const token = client.lease!;
        for (let i = 0; i < 6; i++) {
          const { seen, lease } = await client.ask();
          t.equal(seen.backend, backend);
          t.equal(lease, undefined, 'nothing new is sent');
          t.notMatch(JSON.stringify(seen), token);
          t.notMatch(JSON.stringify(seen), 'leaseway_lease');
          t.equal(seen.url, by === 'query' ? '/query/page?a=1&b=2' : `/${by}/page?a=1`);
          t.equal(seen.headers.cookie, by === 'cookie' ? 'theme=dark; last=1' : 'theme=dark');
        }
      }),
    );
    t.equal(homes.size, 3, 'all backends have some');
  });
}

t.test('the cookie is guarded, and the answer private', async t => {
  const { headers } = await new Client('cookie').ask();
  t.match(headers['set-cookie'], [/; Path=\/; .*HttpOnly/i]);
  t.match(headers['set-cookie'], [/SameSite=Lax/i]);
  t.match(headers['cache-control'], 'private');
});

for (const by of ['cookie', 'header', 'query'] as const) {
  t.test(`by ${by}: a lease that was tampered with is ignored, counted and replaced`, async t => {
    const { client } = await Client.leased(by, by);
    const genuine = client.lease!;
    for (const forged of [
      // Another backend's name within, another signature, another length, no token at all.
      `${genuine.slice(0, 44)}${genuine[44] === 'A' ? 'B' : 'A'}${genuine.slice(45)}`,
      `${genuine.slice(0, -2)}${genuine.endsWith('AA') ? 'BA' : 'AA'}`,
      genuine.slice(0, -4),
      'nonsense',
    ]) {
      const before = await rejected();
      client.lease = forged;
      const answer = await client.ask();
      t.ok(answer.lease, 'a lease of its own');
      t.not(idOf(answer.lease), idOf(genuine), 'and a new one');
      t.equal(await rejected(), before + 1, 'counted');
      t.equal(await decisionOn(answer), 'grant');
    }
    client.lease = genuine;
    t.equal((await client.ask()).lease, undefined, 'the genuine one still holds');
  });
}

t.test('a lease of another cluster is not honoured', async t => {
  const { client: other } = await Client.leased('short');
  const client = new Client('cookie');
  client.lease = other.lease;
  t.ok((await client.ask()).lease);
});

t.test(
  'a lease is renewed at half its term, and granted again on its backend once it has lapsed',
  async t => {
    const { client, backend } = await Client.leased('short');
    const id = idOf(client.lease);
    const decisions = new Set<string>();
    const renewed = await leaseway.until(async () => {
      const answer = await client.ask();
      t.equal(answer.seen.backend, backend);
      return answer.lease !== undefined && answer;
    });
    decisions.add(await decisionOn(renewed));
    t.equal(idOf(client.lease), id);
    const lapsed = Date.now() + TERM_MS;
    await leaseway.until(() => Date.now() > lapsed);
    const again = await client.ask();
    t.equal(again.seen.backend, backend, 'its preference outlives its right');
    t.equal(idOf(again.lease), id);
    decisions.add(await decisionOn(again));
    t.same([...decisions], ['renew', 'regrant']);
  },
);

/** Ends a mortal backend with all its connections. */
async function kill(name: string): Promise<void> {
  await mortals.find(mirror => mirror.name === name)![Symbol.asyncDispose]();
}

t.test(
  'a backend is killed: the next request of its sessions is served elsewhere, with a new lease',
  async t => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.leased('mortal')));
    const checked = await Promise.all(Array.from({ length: CLIENTS }, () => Client.leased('checked')));
    t.ok(
      clients.some(({ backend }) => backend === 'one') && clients.some(({ backend }) => backend !== 'one'),
    );
    await kill('one');
    // Nobody has told this cluster's proxy yet: the request itself finds out.
    for (const [i, { client, backend }] of clients.entries()) {
      const token = client.lease!;
      const answer = await client.ask(i % 2 === 0 ? 'GET' : 'POST');
      if (backend !== 'one') {
        t.equal(answer.seen.backend, backend, 'others stay');
        t.equal(answer.lease, undefined);
        continue;
      }
      t.not(answer.seen.backend, 'one');
      t.ok(answer.lease, 'a new cookie');
      t.equal(idOf(answer.lease), idOf(token), 'of the same lease');
      t.match(await decisionOn(answer), /^move:(failed|down)$/);
      const home = answer.seen.backend;
      for (let again = 0; again < 3; again++) {
        const later = await client.ask();
        t.equal(later.seen.backend, home, 'where it stays');
        t.equal(later.lease, undefined);
      }
    }
    // Here a health check knows before any request does.
    await leaseway.until(async () => {
      const { backends } = await leaseway.status();
      return backends.some(
        (one: { cluster: string; id: string; health: string }) =>
          one.cluster === 'checked' && one.id === 'one' && one.health === 'down',
      );
    });
    for (const { client, backend } of checked) {
      const answer = await client.ask('POST');
      if (backend !== 'one') t.equal(answer.seen.backend, backend);
      else {
        t.not(answer.seen.backend, 'one');
        t.match(await decisionOn(answer), /^move:(down|superseded)$/);
      }
    }
    await kill('two');
    await kill('three');
  },
);

/** Twelve clients, those at `one` apart from the rest. */
async function settled(
  cluster: string,
): Promise<{ at: Client[]; elsewhere: { client: Client; backend: string }[] }> {
  const all = await Promise.all(Array.from({ length: CLIENTS }, () => Client.leased(cluster)));
  return {
    at: all.filter(({ backend }) => backend === 'one').map(({ client }) => client),
    elsewhere: all.filter(({ backend }) => backend !== 'one'),
  };
}

const drain = async (t: Test, cluster: string, deadlineMs = DRAIN_MS): Promise<void> => {
  const path = `/v1/backends/${cluster}/one/drain`;
  const answer = await leaseway.admin(path, 'POST', { deadline: `${deadlineMs}ms` });
  t.equal(answer.status, 200, answer.text);
};

t.test('drain: dynamic leases leave evenly over the time there is, and no newcomer arrives', async t => {
  const [first, more] = await Promise.all([settled('dynamic'), settled('dynamic')]);
  const at = [...first.at, ...more.at];
  const since = performance.now();
  // All have been told ten seconds before the deadline.
  await drain(t, 'dynamic', 14_000);
  for (let i = 0; i < CLIENTS; i++) t.not((await Client.leased('dynamic')).backend, 'one');
  const tokens = new Map(at.map(client => [client, client.lease!]));
  const leftAtMs: number[] = [];
  while (tokens.size > 0) {
    for (const [client, token] of tokens) {
      const [answer, parallel] = await Promise.all([client.ask(), client.ask()]);
      if (answer.seen.backend === 'one') continue;
      tokens.delete(client);
      leftAtMs.push(performance.now() - since);
      t.equal(idOf(answer.lease ?? parallel.lease), idOf(token));
      t.match(await decisionOn(answer), /^move:draining$|^keep$/);
      const home = (await client.ask()).seen.backend;
      for (const { seen } of [answer, parallel])
        t.ok(seen.backend === home || seen.backend === 'one', 'all go to one other backend');
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  t.comment(`${at.length} clients left after ${leftAtMs.map(ms => Math.round(ms)).join(', ')} ms`);
  t.ok(leftAtMs.at(-1)! - leftAtMs[0]! > 500 && leftAtMs.at(-1)! < 6_000);
  const { backends: shown } = await leaseway.status();
  t.match(
    shown.find((one: { cluster: string; id: string }) => one.cluster === 'dynamic' && one.id === 'one'),
    { sessionsStaying: Number, admin: 'drain' },
  );
  for (const { client, backend } of first.elsewhere) t.equal((await client.ask()).seen.backend, backend);
  t.equal((await leaseway.admin('/v1/backends/dynamic/one/undrain', 'POST')).status, 200);
  await leaseway.until(async () => (await Client.leased('dynamic')).backend === 'one');
  t.pass('newcomers come back after it');
});

t.test('drain: static leases stay until the deadline, then move', async t => {
  const { at } = await settled('static');
  t.ok(at.length > 0);
  const since = performance.now();
  await drain(t, 'static');
  for (let i = 0; i < CLIENTS; i++) t.not((await Client.leased('static')).backend, 'one', 'no newcomer');
  let stayed = 0;
  const moved = await leaseway.until(async () => {
    const answer = await at[0]!.ask();
    if (answer.seen.backend !== 'one') return answer;
    stayed += 1;
    return undefined;
  });
  const tookMs = performance.now() - since;
  t.ok(tookMs >= DRAIN_MS - 100 && tookMs < DRAIN_MS + 3_000, `moved after ${Math.round(tookMs)} ms`);
  t.ok(stayed > 3, `${stayed} requests were honoured meanwhile`);
  t.match(await decisionOn(moved), /^move:(maintenance|down|superseded|draining)$/);
  for (const client of at.slice(1)) t.not((await client.ask()).seen.backend, 'one');
});

t.test('drain: a static lease that was honoured is still good when the drain is called off', async t => {
  t.equal((await leaseway.admin('/v1/backends/static/one/undrain', 'POST')).status, 200);
  await leaseway.until(async () => (await Client.leased('static')).backend === 'one');
  const { at } = await settled('static');
  await drain(t, 'static', LONG_DRAIN_MS);
  for (const client of at) t.equal((await client.ask()).seen.backend, 'one');
  t.equal((await leaseway.admin('/v1/backends/static/one/undrain', 'POST')).status, 200);
  for (const client of at) t.equal((await client.ask()).seen.backend, 'one');
});
