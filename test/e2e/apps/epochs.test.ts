// What a backend is told of leases through the running proxy: its epoch, and where a session comes from, with keys an operator can get.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LeasewaySocket } from '../../../lib/client/index.ts';
import { EXIT } from '../../../lib/core/exit-codes.ts';
import {
  EpochCheck,
  epochOf,
  MemoryEnvelopeStore,
  ResumeCheck,
  readResumeKeys,
} from '../../../lib/server/index.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { runCli } from '../../support/run-cli.ts';
import { SdkBackend } from '../../support/sdk-backend.ts';

async function httpBackend(t: Test): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

t.test(
  'requests under a lease bring the epoch, and it rises with a drain; a client’s own goes no further',
  async t => {
    const { url, asked } = await httpBackend(t);
    const backends = [{ id: 'b', url }];
    await using leaseway = await Leaseway.start({
      config: { routes: [{ match: { path: '/free' }, cluster: 'free' }, { cluster: 'web' }] },
      clusters: { web: { backends, sticky: { by: 'cookie' } }, free: { backends } },
    });
    const get = async (path: string): Promise<IncomingMessage> => {
      const headers = { 'leaseway-epoch': '999999', leaseway_epoch: '999999', 'leaseway-resume': 'mine' };
      await (await fetch(leaseway.url() + path, { headers })).text();
      return asked.at(-1)!;
    };
    t.notMatch(Object.keys((await get('/free')).headers).join(), /epoch|resume/);
    const first = await get('/');
    const epoch = epochOf(first.headers)!;
    t.ok(epoch > 0 && epoch < 999_999, `epoch ${epoch}`);
    t.equal(epochOf((await get('/')).headers), epoch);
    await leaseway.admin('/v1/backends/web/b/drain', 'POST', { force: true, deadline: '50ms' });
    await leaseway.until(async () =>
      (await leaseway.status()).backends.some((one: { state: string }) => one.state === 'maintenance'),
    );
    await leaseway.admin('/v1/backends/web/b/undrain', 'POST');
    await leaseway.until(async () => (epochOf((await get('/')).headers) ?? 0) > epoch);
    const check = new EpochCheck();
    t.ok(check.accept('a', epochOf(asked.at(-1)!.headers)!));
    t.notOk(check.accept('a', epoch), 'what was held up meanwhile is refused');
  },
);

for (const kept of [true, false])
  t.test(
    `a session that moves can be checked by keys from ${kept ? 'the state directory' : 'the configuration'}`,
    async t => {
      const store = new MemoryEnvelopeStore();
      const backends = await Promise.all(['b1', 'b2'].map(id => SdkBackend.start(id, { store })));
      t.teardown(() => backends.map(backend => backend.kill()));
      const keys = [
        'the newest secret, with which is signed ....',
        'the one before, which still verifies .......',
      ];
      await using leaseway = await Leaseway.start({
        config: { routes: [{ cluster: 'web' }], ...(!kept && { leases: { keys } }) },
        clusters: {
          web: { backends: backends.map(({ id, url }) => ({ id, url })), websocket: { migrate: 'sdk' } },
        },
      });
      const socket = new LeasewaySocket(`ws://127.0.0.1:${leaseway.port()}/plain`);
      t.teardown(() => socket.close());
      await once(socket, 'open');
      const migrated = once(socket, 'migrated');
      const [{ id }] = (await leaseway.admin('/v1/connections')).body.items;
      t.match((await leaseway.admin(`/v1/connections/${id}/move`, 'POST', {})).body, { result: 'moved' });
      await migrated;
      const [from, to] = backends[0]!.open > 0 ? [backends[1]!, backends[0]!] : [backends[0]!, backends[1]!];
      const { code, out, err } = await runCli(['resume-keys', leaseway.folder]);
      t.equal(code, 0, err);
      t.equal(out.trim().split(',').length, kept ? 1 : 2);
      const check = new ResumeCheck(readResumeKeys(out));
      const first = check.check(from.handshakes[0]!.headers);
      const { headers } = to.handshakes[0]!;
      const second = check.check(headers);
      t.match(first, { kind: 'first', session: /^[0-9a-f]{16}$/ });
      t.match(second, {
        kind: 'resumed',
        session: first.kind === 'first' ? first.session : '',
        resume: { from: from.id },
      });
      t.equal(second.kind === 'resumed' && second.resume.epoch, epochOf(from.handshakes[0]!.headers));
      t.ok(epochOf(headers)! > 0);
      const other = `0000000a:${Buffer.alloc(32, 1).toString('base64url')}`;
      t.same(new ResumeCheck(readResumeKeys(other)).check(headers), { kind: 'refused', why: 'forged' });
    },
  );

t.test('no keys yet, and what are none', async t => {
  const config = `
    listeners: [{ address: "127.0.0.1:0" }]
    routes: [{ respond: { body: hello } }]
    state: { dir: ${join(t.testdirName, 'state')} }`;
  const folder = t.testdir({ 'leaseway.yaml': config });
  const { code, out, err } = await runCli(['resume-keys', folder]);
  t.same([code, out], [EXIT.notFound, ''], err);
  t.match(err, /no lease key in .*state yet: the first run makes one/);
  t.throws(() => readResumeKeys('0a1b2c3d:short'), /leaseway resume-keys/);
});
