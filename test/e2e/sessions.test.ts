// HTTP sessions through the running program: an announced job moves them before it begins; shadow and freeze hold them; drains say what they would do.

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { EXIT } from '../../lib/core/exit-codes.ts';
import { type Json, Leaseway } from '../support/leaseway.ts';
import { runCli } from '../support/run-cli.ts';

const IDS = ['one', 'two', 'three'];
const SERVICE_MS = 40;
const CLIENTS = 24;

const servers = IDS.map(id =>
  http.createServer((_, response) => void setTimeout(() => response.end(id), SERVICE_MS)),
);
const backends = await Promise.all(
  servers.map(async (server, i) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { id: IDS[i]!, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }),
);
const cluster = {
  ...{ backends, capacity: { concurrency: 36 }, sticky: { by: 'header', term: '30s' } },
  forecast: { horizons: ['1s', '10s'] },
  migration: { shed: '50%' },
};
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: ['act', 'shadow'].map(name => ({ name, match: { path: { prefix: `/${name}` } }, cluster: name })),
  },
  clusters: { act: cluster, shadow: { ...cluster, migration: { ...cluster.migration, mode: 'shadow' } } },
});
let asking = true;
const agent = new http.Agent({ keepAlive: true });
t.teardown(async () => {
  asking = false;
  await leaseway[Symbol.asyncDispose]();
  agent.destroy();
  for (const server of servers) server.close();
});

/** A client with a session: as many requests at once as it likes all go to one backend. */
class Client {
  lease = '';
  backend = '';
  torn = 0;
  failed = 0;

  async run(path: string): Promise<void> {
    while (asking) {
      const [first, second] = await Promise.all([this.#ask(path), this.#ask(path)]);
      if (first !== second) this.torn += 1;
      this.backend = second;
    }
  }

  #ask(path: string): Promise<string> {
    return new Promise(resolve => {
      const headers = this.lease === '' ? {} : { 'leaseway-lease': this.lease };
      const request = http.get({ host: '127.0.0.1', port: leaseway.port(), path, agent, headers }, answer => {
        const lease = answer.headers['leaseway-lease'];
        let text = '';
        answer.on('data', piece => {
          text += piece;
        });
        answer.on('end', () => {
          if (answer.statusCode !== 200) this.failed += 1;
          if (typeof lease === 'string') this.lease = lease;
          resolve(text);
        });
      });
      request.on('error', () => {
        this.failed += 1;
        setTimeout(() => resolve(''), 50);
      });
    });
  }
}

const cli = (...args: string[]) =>
  runCli([
    ...args,
    '--admin',
    `http://127.0.0.1:${leaseway.serving.admin.port}`,
    '--token-file',
    join(leaseway.folder, 'state/admin-token'),
  ]);
const json = async (...args: string[]): Promise<Json> => JSON.parse((await cli(...args, '--json')).out);
const clientsOf = (path: string) =>
  Array.from({ length: CLIENTS }, () => new Client()).map(client => ({ client, path }));
const all = [...clientsOf('/act'), ...clientsOf('/shadow')];
const on = (path: string, id: string) =>
  all.filter(one => one.path === path && one.client.backend === id).length;

t.test('sessions leave a backend before its announced job; shadow only says so', async t => {
  for (const { client, path } of all) void client.run(path);
  await leaseway.until(async () => all.every(({ client }) => client.backend !== ''));
  // A request that has no lease yet may be beside another one.
  for (const { client } of all) client.torn = 0;
  await leaseway.until(async () =>
    (await json('forecast', 'act')).items[0].backends.every((b: Json) => b.predicted > 0.2),
  );
  const before = { act: on('/act', 'one'), shadow: on('/shadow', 'one') };
  t.ok(before.act > 2 && before.shadow > 2, JSON.stringify(before));
  const startMs = Date.now() + 14_000;
  for (const name of ['act', 'shadow'])
    t.equal(
      (await cli('announce', `${name}/one`, '--factor', '5', '--in', '14s', '--for', '60s')).code,
      EXIT.ok,
    );
  await leaseway.until(async () => on('/act', 'one') <= before.act / 2);
  t.ok(Date.now() < startMs, `${startMs - Date.now()} ms before it begins`);
  t.equal(on('/shadow', 'one'), before.shadow, 'shadow moves nobody');
  const decided = await json('decisions');
  const of = (name: string) =>
    decided.items.filter(
      (item: Json) => item.cluster === name && item.kind === 'shed' && item.from === 'one',
    );
  t.match(of('act').at(-1), { from: 'one', reason: 'forecast', outcome: 'done' });
  t.match(of('shadow').at(-1), { from: 'one', reason: 'forecast', outcome: 'shadow' });
  t.equal(
    all.reduce((sum, { client }) => sum + client.failed, 0),
    0,
    'no request failed',
  );
});

t.test('a freeze holds who is left, and is lifted', async t => {
  t.match((await cli('freeze', 'act')).out, /^act is frozen/);
  await leaseway.until(async () => {
    const { items } = (await leaseway.admin('/v1/sessions')).body;
    return items[0].backends.every(({ shed }: Json) => shed === 0);
  });
  const held = on('/act', 'one');
  await leaseway.until(async () =>
    (await json('forecast', 'act')).items[0].backends.some((b: Json) => b.predicted > 0.9),
  );
  t.ok(on('/act', 'one') >= held, 'nobody left');
  t.match((await cli('unfreeze')).out, /nothing is frozen/);
});

t.test(
  'drain --plan says who receives what, and refuses what would overload them; a freeze holds no drain',
  async t => {
    // Whoever is left on it stays until it is asked about.
    t.equal((await cli('freeze', 'act')).code, EXIT.ok);
    t.equal((await cli('announce', 'act/two', '--factor', '8', '--for', '60s')).code, EXIT.ok);
    t.equal((await cli('announce', 'act/three', '--factor', '8', '--for', '60s')).code, EXIT.ok);
    await leaseway.until(async () => (await json('drain', 'act/one', '--plan')).plan.objection !== '');
    const { out } = await cli('drain', 'act/one', '--plan');
    t.match(out, /act\/two +\d/);
    t.match(out, /this would be refused: .*would be above 0\.9/);
    const refused = await cli('drain', 'act/one');
    t.not(refused.code, EXIT.ok);
    t.match(refused.err, /is not drained/);
    t.equal((await cli('drain', 'act/one', '--force', '--deadline', '15s')).code, EXIT.ok);
    await leaseway.until(async () => on('/act', 'one') === 0);
    t.equal((await cli('undrain', 'act/one')).code, EXIT.ok);
  },
);
