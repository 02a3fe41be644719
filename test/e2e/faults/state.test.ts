// The state directory cannot be written: what operators decide is refused and says why, and traffic, failovers and moves go on.

import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chatStage, connect, listed, move, whole } from '../../support/chat-stage.ts';

/** What is written with a rename cannot take the place of a directory that holds something. */
const FILES = ['admin.json', 'backends.json', 'freeze.json'];

t.test('nothing can be written down, and everybody is served', async t => {
  const { leaseway, backends } = await chatStage(t, [{}, {}, {}], {
    sticky: { by: 'header' },
    balance: { policy: 'round_robin' },
    health: { tcp: true, interval: '100ms', fall: 2 },
  });
  const path = (name: string): string => join(leaseway.folder, 'state', name);
  const clients = await Promise.all(Array.from({ length: 30 }, () => connect(t, leaseway)));
  for (const name of FILES) {
    rmSync(path(name), { force: true });
    mkdirSync(join(path(name), 'full'), { recursive: true });
  }
  const orders: readonly [string, unknown][] = [
    ['/v1/freeze', {}],
    ['/v1/backends/chat/b2/drain', { force: true }],
    ['/v1/backends/chat/b2/maintenance', {}],
  ];
  for (const [order, body] of orders) {
    const { status, text } = await leaseway.admin(order, 'POST', body);
    t.equal(status, 500, text);
    t.match(text, /INTERNAL.*cannot write/s);
  }
  const { body: sessions } = await leaseway.admin('/v1/sessions');
  t.same(sessions.freezes, [], 'nothing is half done');
  t.equal((await leaseway.status()).backends[1].admin, 'ready');

  const [{ id, backend } = { id: '', backend: '' }] = (await listed(leaseway)).filter(
    one => one.backend !== 'b1',
  );
  t.match(await move(leaseway, id), { result: 'moved', from: backend });
  backends[0]!.kill();
  await leaseway.until(() => backends[1]!.open + backends[2]!.open === clients.length);
  await leaseway.until(async () => (await leaseway.status()).backends[0].health === 'down');
  for (let i = 0; i < 20; i++) t.not(await (await fetch(leaseway.url())).text(), 'b1');
  for (const client of clients) client.send();
  await leaseway.until(() => clients.every(({ got }) => got.length === 1));
  whole(t, clients, backends);
  t.ok(
    clients.every(({ code }) => code === 0),
    'nobody was disconnected',
  );
  t.equal(
    leaseway.log.filter(line => /error.*cannot write .*backends\.json/.test(line)).length,
    1,
    'said once',
  );

  for (const name of FILES) renameSync(path(name), path(`${name}.was`));
  t.equal((await leaseway.admin('/v1/freeze', 'POST', {})).status, 200, 'there is room again');
  t.equal((await leaseway.admin('/v1/unfreeze', 'POST', {})).status, 200);
  t.equal((await leaseway.admin('/v1/backends/chat/b2/drain', 'POST', { force: true })).status, 200);
});
