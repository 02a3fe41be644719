// Backends that come and go by a watched file and by DNS, under load: no request fails, those gone get nothing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { DnsServer } from '../../support/dns-server.ts';
import { until } from '../../support/until.ts';
import { Load } from './load.ts';
import { Stage } from './stage.ts';

/** Answers with its address. */
function listen(address: string, port: number): Promise<Server> {
  const server = createServer((_request, response) => response.end(address));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(server));
  });
}

const ADDRESSES = ['127.0.3.1', '127.0.3.2', '127.0.3.3', '127.0.3.4'] as const;
const [one, two, three, four] = ADDRESSES;
const first = await listen(one, 0);
const { port } = first.address() as AddressInfo;
const servers = [first, ...(await Promise.all(ADDRESSES.slice(1).map(address => listen(address, port))))];

const folder = mkdtempSync(join(tmpdir(), 'leaseway-discovery-'));
const list = (...addresses: string[]): string =>
  stringify(addresses.map(address => `http://${address}:${port}`));
const write = (text: string): void => writeFileSync(join(folder, 'backends.yaml'), text);
write(list(one));
const dns = await DnsServer.start();
dns.set('app.test', [one, two], 0);
const stage = await Stage.open({
  clusters: {
    dns: {
      discovery: { dns: { name: 'app.test', port, interval: '50ms', servers: [dns.address] } },
      balance: { policy: 'round_robin' },
    },
    file: {
      backends: [{ id: 'fixed', url: `http://${four}:${port}` }],
      discovery: { file: join(folder, 'backends.yaml') },
      balance: { policy: 'round_robin' },
    },
  },
  routes: [
    { match: { path: '/dns' }, cluster: 'dns' },
    { match: { path: '/file' }, cluster: 'file' },
  ],
});
t.teardown(async () => {
  await stage[Symbol.asyncDispose]();
  await dns[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  }
});

/** Exactly these serve: each has answered, and no other does any more. */
async function served(t: Test, load: Load, ...addresses: readonly string[]): Promise<void> {
  const before = new Map(load.answers);
  const more = (address: string): number => load.of(address) - (before.get(address) ?? 0);
  await until(`${addresses} serve`, () => addresses.every(address => more(address) > 10), 10_000);
  const gone = ADDRESSES.filter(address => !addresses.includes(address));
  const answered = (): string => gone.map(address => load.of(address)).join();
  // What was on its way when an address left still answers: a window of answers without any must come, and come soon.
  let left = '';
  for (let window = 0; window < 20 && left !== answered(); window++) {
    left = answered();
    const { total } = load;
    await until('100 more answers', () => load.total >= total + 100, 10_000);
  }
  t.equal(answered(), left, `only ${addresses} serve`);
}

t.test('DNS: addresses are added, removed and all exchanged', async t => {
  const load = new Load(stage.port, '/dns');
  await served(t, load, one, two);
  dns.set('app.test', [one, two, three], 0);
  await served(t, load, one, two, three);
  dns.set('app.test', [three], 0);
  await untilGone('dns', one);
  await served(t, load, three);
  dns.set('app.test', [one, four], 0);
  await untilGone('dns', three);
  await served(t, load, one, four);
  await load.stop();
  t.same(load.failures, [], `none of ${load.total} failed`);
  stage.steady.unharmed(t);
});

t.test('DNS that fails changes nothing', async t => {
  const load = new Load(stage.port, '/dns');
  for (const rcode of [2, 3]) {
    const { length } = dns.queries;
    dns.zones.set('app.test', { addresses: [], ttlS: 0, rcode, failing: [] });
    await until('it was asked again', () => dns.queries.length > length + 10, 10_000);
  }
  await served(t, load, one, four);
  await load.stop();
  t.same(load.failures, [], `none of ${load.total} failed`);
});

t.test(
  'a watched file: backends are added, removed and all exchanged; a bad file changes nothing',
  async t => {
    const load = new Load(stage.port, '/file');
    await served(t, load, one, four);
    write(list(one, two));
    await served(t, load, one, two, four);
    write(list(three));
    await untilGone('file', one);
    await served(t, load, three, four);
    write('- http://127.0.3.1:nonsense\n');
    await until('it is told', () => stage.leaseway.log.some(line => line.includes('backends.yaml')), 10_000);
    await served(t, load, three, four);
    await load.stop();
    t.same(load.failures, [], `none of ${load.total} failed`);
    stage.steady.unharmed(t);
  },
);

async function untilGone(cluster: string, address: string): Promise<void> {
  await stage.leaseway.until(async () => {
    const { backends } = await stage.status();
    return !backends.some(backend => backend.cluster === cluster && backend.id.startsWith(address));
  });
}
