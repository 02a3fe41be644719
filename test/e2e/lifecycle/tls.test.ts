// TLS over time: certificates replaced on disk, sessions that resume at any worker and after an upgrade.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import t from 'tap';
import { makeAuthority } from '../../support/certs.ts';
import { type Json, Leaseway } from '../../support/leaseway.ts';
import { RollBackend } from '../../support/roll-backends.ts';

const authority = makeAuthority();

async function stage(hooked = false) {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-tls-'));
  const write = (names: string[]): void => {
    const { cert, key } = authority.issue(names);
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
  };
  write(['one.test']);
  const backend = await RollBackend.start();
  const certificate = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const leaseway = await Leaseway.start({
    config: { workers: 2, listeners: [{ address: '127.0.0.1:0', tls: { certificates: [certificate] } }] },
    clusters: { web: { backends: [backend.url] } },
    hooked,
  });
  return {
    leaseway,
    spoil: () => writeFileSync(certificate.cert, 'nothing of use'),
    write,
    async [Symbol.asyncDispose]() {
      await leaseway[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function dial(port: number, options: tls.ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = tls.connect({
    ...{ port, host: '127.0.0.1', servername: 'one.test', ca: authority.ca },
    checkServerIdentity: () => undefined,
    ...options,
  });
  socket.on('error', () => {});
  socket.on('session', session => sessions.set(socket, session));
  await once(socket, 'secureConnect');
  return socket;
}

/** What each was given to resume by. */
const sessions = new WeakMap<TLSSocket, Buffer>();

const namesOf = (socket: TLSSocket): string => socket.getPeerCertificate().subjectaltname ?? '';

async function ask(socket: TLSSocket, path: string): Promise<string> {
  let text = '';
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: one.test\r\n\r\n`);
  while (!text.includes(`\r\n\r\n${path}`)) await once(socket, 'data');
  return text;
}

t.test('a certificate that goes bad while the control thread is down: the last good one goes on', async t => {
  await using s = await stage(true);
  const { leaseway } = s;
  const logged = (text: string): Promise<unknown> =>
    leaseway.until(() => leaseway.log.some(line => line.includes(text)));
  s.spoil();
  leaseway.hook('control', 'exit');
  await logged('the control thread died');
  await logged('a TLS file has gone bad; what it held before stays in use');
  // The admin API answers again, and a new worker is given what the former had.
  await leaseway.until(async () => (await leaseway.status().catch(() => null))?.workers.length === 2);
  leaseway.hook('worker-0', 'throw');
  leaseway.hook('worker-1', 'throw');
  await leaseway.until(() => leaseway.log.filter(line => line.includes('a worker died')).length === 2);
  const socket = await leaseway.until(() => dial(leaseway.port()).catch(() => undefined));
  t.equal(namesOf(socket), 'DNS:one.test');
  t.match(await ask(socket, '/new'), /^HTTP\/1.1 200/);
  socket.destroy();
  t.equal(
    leaseway.log.filter(line => line.includes('the control thread died')).length,
    1,
    'it does not start again and again',
  );
  s.write(['two.test']);
  await leaseway.until(async () => {
    const next = await dial(leaseway.port());
    const names = namesOf(next);
    next.destroy();
    return names === 'DNS:two.test';
  });
});

t.test('a certificate replaced on disk serves new connections; old ones go on', async t => {
  await using s = await stage();
  const { leaseway } = s;
  const old = await dial(leaseway.port());
  t.equal(namesOf(old), 'DNS:one.test');
  await ask(old, '/1');
  s.write(['one.test', 'two.test']);
  await leaseway.until(async () => {
    const fresh = await dial(leaseway.port());
    const names = namesOf(fresh);
    fresh.destroy();
    return names === 'DNS:one.test, DNS:two.test';
  });
  await ask(old, '/2');
  t.pass('the old connection still answers');
  old.destroy();
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`${version} sessions resume at every worker and across an upgrade`, async t => {
    await using s = await stage();
    const { leaseway } = s;
    const options = { minVersion: version, maxVersion: version };
    const first = await dial(leaseway.port(), options);
    await ask(first, '/first');
    const session = await leaseway.until(() => sessions.get(first));
    first.destroy();
    const resumed = async (): Promise<number> => {
      let reused = 0;
      for (let i = 0; i < 16; i++) {
        const socket = await dial(leaseway.port(), { ...options, session });
        await ask(socket, `/${i}`);
        if (socket.isSessionReused()) reused += 1;
        socket.destroy();
      }
      return reused;
    };
    t.equal(await resumed(), 16);
    const { workers } = await leaseway.status();
    t.ok(
      workers.every(({ counters }: Json) => counters.connectionsAccepted > 0),
      'both workers took part',
    );
    process.kill(leaseway.pid, 'SIGUSR2');
    await leaseway.generation(2);
    t.equal(await resumed(), 16, 'by the successor');
  });
}
