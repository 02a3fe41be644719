import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import type { AdminTls } from '../../../lib/control/admin/tls.ts';
import { adminFixture, call, TOKEN } from '../../support/admin-fixture.ts';

const dir = t.testdir();
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
const read = (name: string): string => readFileSync(join(dir, name), 'utf8');

/** A certificate for `name`, signed by `by` or by itself. */
function certificate(name: string, by?: string): { cert: string; key: string; names: string[] } {
  const signer = by === undefined ? [] : ['-CA', `${by}.crt`, '-CAkey', `${by}.key`];
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-addext',
    `subjectAltName=DNS:${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    ...signer,
  );
  return { cert: read(`${name}.crt`), key: read(`${name}.key`), names: [name] };
}

certificate('authority');
const tls: AdminTls = {
  certificates: [certificate('one.test'), certificate('two.test')],
  clientCa: read('authority.crt'),
  clientRequired: false,
  minVersion: '1.2',
  handshakeTimeoutMs: 5_000,
};
const ours = certificate('operator', 'authority');
const theirs = certificate('stranger');
const trust = { ca: [read('one.test.crt'), read('two.test.crt')] };

const nameServed = (port: number, servername: string): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      const cn = socket.getPeerCertificate().subject.CN;
      resolve(Array.isArray(cn) ? cn[0] : cn);
      socket.destroy();
    });
    socket.on('error', reject);
  });

const config = { address: '0.0.0.0:0' };

t.test('a verified client certificate stands in for the token, reads and writes alike', async t => {
  const { port } = await adminFixture(t, { config, tls });
  const host = { host: 'one.test' };
  const at = { ...trust, servername: 'one.test' };
  const withCertificate = { tls: { ...at, cert: ours.cert, key: ours.key } };
  t.equal((await call(port, 'GET', '/livez', { headers: host, tls: at })).status, 401, 'neither');
  t.equal((await call(port, 'GET', '/livez', { headers: host, ...withCertificate })).status, 200);
  const write = { headers: { ...host, 'if-match': '*' }, ...withCertificate };
  t.equal((await call(port, 'POST', '/v1/reload', write)).status, 200);
  const stranger = { ...at, cert: theirs.cert, key: theirs.key };
  t.equal(
    (await call(port, 'GET', '/livez', { headers: host, tls: stranger })).status,
    401,
    'of no authority of ours',
  );
  const token = { ...host, authorization: `Bearer ${TOKEN}` };
  t.equal((await call(port, 'GET', '/livez', { headers: token, tls: at })).status, 200, 'the token alone');
});

t.test('required client certificates are demanded in the handshake', async t => {
  const { port } = await adminFixture(t, { config, tls: { ...tls, clientRequired: true } });
  const at = { ...trust, servername: 'one.test' };
  await t.rejects(call(port, 'GET', '/livez', { headers: { host: 'one.test' }, tls: at }));
});

t.test('certificates are chosen by name, exchanged while listening, and speak for the Host', async t => {
  const { port, server, settings } = await adminFixture(t, { config, tls });
  t.equal(await nameServed(port, 'two.test'), 'two.test');
  t.equal(await nameServed(port, 'unknown.test'), 'one.test', 'the first answers names that none has');
  const ask = (host: string) =>
    call(port, 'GET', '/livez', {
      headers: { host, authorization: `Bearer ${TOKEN}` },
      tls: { ...trust, servername: 'two.test' },
    });
  t.equal((await ask('two.test')).status, 200);
  t.equal((await ask('three.test')).status, 403);
  const renewed = { ...tls, certificates: [certificate('three.test')] };
  t.equal(await server.update({ ...settings, tls: renewed }), null, 'no new socket');
  t.equal(await nameServed(port, 'two.test'), 'three.test');
  await t.rejects(
    server.update({ ...settings, tls: { ...tls, certificates: [{ cert: 'x', key: 'y', names: [] }] } }),
    'an unusable certificate is refused',
  );
  t.equal(await nameServed(port, 'two.test'), 'three.test', 'and the old one stays');
});

t.test('TLS is switched on and off on one port', async t => {
  const { port, server, settings } = await adminFixture(t);
  const fixed = { ...settings, config: { address: `127.0.0.1:${port}` } };
  t.equal((await server.update({ ...fixed, tls: { ...tls, clientCa: undefined } }))!.port, port);
  const at = { ...trust, servername: 'one.test' };
  t.equal((await call(port, 'GET', '/livez', { tls: at })).status, 200);
  t.equal((await server.update(fixed))!.port, port);
  t.equal((await call(port, 'GET', '/livez')).status, 200);
});
