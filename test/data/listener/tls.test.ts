import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import t from 'tap';
import { makeAuthority } from '../../support/certs.ts';
import { limitsWith, listenerEntry, startListener } from '../../support/listener-harness.ts';
import { rawConnect } from '../../support/raw-client.ts';

const authority = makeAuthority();
const stranger = makeAuthority();
const one = authority.issue(['one.example', '127.0.0.1']);
const many = authority.issue(['*.many.example']);
const KEYS = Buffer.alloc(48, 1);
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A finished handshake, or the error it ended with. */
function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket | Error> {
  return new Promise(resolve => {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      ca: authority.ca,
      servername: 'one.example',
      ...options,
    });
    socket.on('error', resolve);
    socket.once('secureConnect', () => resolve(socket));
  });
}

/** In TLS 1.3 the client believes itself in before its certificate is judged: only an answer proves it is. */
async function served(port: number, options: ConnectionOptions): Promise<boolean> {
  const socket = await handshake(port, options);
  if (socket instanceof Error) return false;
  return new Promise(resolve => {
    socket.once('data', chunk => resolve(String(chunk).startsWith('HTTP/1.1 200')));
    socket.once('close', () => resolve(false));
    socket.write(REQUEST);
  });
}

const shownTo = async (port: number, servername: string): Promise<string> => {
  const socket = await handshake(port, { servername, checkServerIdentity: () => undefined });
  if (socket instanceof Error) throw socket;
  const subject = socket.getPeerX509Certificate()?.subject ?? '';
  socket.destroy();
  return subject;
};

t.test('the certificate is chosen by name: exact, wildcard, else the first', async t => {
  const harness = await startListener(t, { certificates: [one, many] });
  t.equal(await shownTo(harness.port, 'one.example'), 'CN=one.example');
  t.equal(await shownTo(harness.port, 'ONE.example'), 'CN=one.example');
  t.equal(await shownTo(harness.port, 'a.many.example'), 'CN=*.many.example');
  t.equal(await shownTo(harness.port, 'b.a.many.example'), 'CN=one.example', 'a wildcard is one label');
  t.equal(await shownTo(harness.port, 'other.example'), 'CN=one.example');
  t.equal(await shownTo(harness.port, ''), 'CN=one.example');
});

t.test('what is known of the client reaches the handler', async t => {
  const harness = await startListener(t, { certificates: [one, many] });
  const client = await rawConnect(harness.port, { ca: authority.ca, servername: 'a.many.example' });
  client.send(REQUEST);
  const { incoming } = await harness.next();
  t.match(incoming.connection.tls, {
    serverName: 'a.many.example',
    certificateNames: ['*.many.example'],
    protocol: 'TLSv1.3',
    client: null,
  });
  client.socket.destroy();
});

t.test('a reload shows new certificates to new connections and drops none', async t => {
  const harness = await startListener(t, { certificates: [one] });
  const old = await rawConnect(harness.port, { ca: authority.ca, servername: 'one.example' });
  old.send(REQUEST);
  await old.until(text => text.endsWith('ok'));
  const renewed = stranger.issue(['one.example']);
  harness.listener.update(listenerEntry({ certificates: [renewed] }), limitsWith(), KEYS);
  const client = await rawConnect(harness.port, { ca: stranger.ca, servername: 'one.example' });
  t.equal((client.socket as TLSSocket).getPeerX509Certificate()?.issuer, 'CN=test authority');
  old.send(REQUEST);
  await old.until(text => text.split('HTTP/1.1 200').length === 3);
  t.throws(
    () =>
      harness.listener.update(
        listenerEntry({ certificates: [{ ...one, key: renewed.key }] }),
        limitsWith(),
        KEYS,
      ),
    'a key that does not fit changes nothing',
  );
  t.ok(await served(harness.port, { ca: stranger.ca }));
  old.socket.destroy();
  client.socket.destroy();
});

t.test('min_version is kept', async t => {
  const harness = await startListener(t, { certificates: [one], listener: { tls: { min_version: '1.3' } } });
  t.ok((await handshake(harness.port, { maxVersion: 'TLSv1.2' })) instanceof Error);
  t.ok(await served(harness.port, {}));
});

t.test('client certificates: none, optional, required', async t => {
  const mine = authority.issue(['client.example']);
  const foreign = stranger.issue(['client.example']);
  const as = (certificate: typeof mine) => ({ cert: certificate.cert, key: certificate.key });
  const start = (client_auth: string) =>
    startListener(t, {
      certificates: [one],
      clientCa: authority.ca,
      listener: { tls: { client_auth, client_ca: 'given' } },
    });
  const optional = await start('optional');
  t.ok(await served(optional.port, {}));
  t.equal((await optional.next()).incoming.connection.tls?.client, null);
  t.ok(await served(optional.port, as(mine)));
  t.match((await optional.next()).incoming.connection.tls?.client, {
    subject: 'CN=client.example',
    fingerprint256: /^[0-9A-F:]{95}$/,
  });
  t.notOk(await served(optional.port, as(foreign)), 'one that is shown must be good');
  const required = await start('required');
  t.notOk(await served(required.port, {}));
  t.notOk(await served(required.port, as(foreign)));
  t.ok(await served(required.port, as(mine)));
});

t.test('a session resumes on another worker with the same ticket keys', async t => {
  const [first, second, third] = [
    await startListener(t, { certificates: [one], ticketKeys: KEYS }),
    await startListener(t, { certificates: [one], ticketKeys: KEYS }),
    await startListener(t, { certificates: [one], ticketKeys: Buffer.alloc(48, 2) }),
  ];
  const socket = (await handshake(first.port, { maxVersion: 'TLSv1.2' })) as TLSSocket;
  const session = socket.getSession();
  socket.destroy();
  const again = async (port: number): Promise<boolean> => {
    const resumed = (await handshake(port, { maxVersion: 'TLSv1.2', session: session! })) as TLSSocket;
    const reused = resumed.isSessionReused();
    resumed.destroy();
    return reused;
  };
  t.ok(await again(second.port));
  t.notOk(await again(third.port));
});

t.test('noise, plain HTTP and silence instead of a handshake close that connection only', async t => {
  const harness = await startListener(t, {
    certificates: [one],
    listener: { tls: { handshake_timeout: '60ms' } },
  });
  for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\x16\x03\x01\xff\xff'.repeat(20), '']) {
    const client = await rawConnect(harness.port);
    client.send(bytes);
    await client.until(() => client.ended || client.closed);
    client.socket.destroy();
  }
  await harness.until(() => harness.listener.connections === 0);
  t.ok(await served(harness.port, {}));
});

t.test('ALPN offers what protocols allow', async t => {
  const http1 = await startListener(t, { certificates: [one], listener: { protocols: ['http1'] } });
  const h2 = await startListener(t, { certificates: [one], listener: { protocols: ['h2'] } });
  const both = await startListener(t, { certificates: [one] });
  const settled = async (port: number, ALPNProtocols: string[]): Promise<string | false | null> => {
    const socket = await handshake(port, { ALPNProtocols });
    if (socket instanceof Error) return 'refused';
    socket.destroy();
    return socket.alpnProtocol;
  };
  t.equal(await settled(both.port, ['http/1.1', 'h2']), 'h2');
  t.equal(await settled(both.port, ['http/1.1']), 'http/1.1');
  t.equal(await settled(http1.port, ['h2', 'http/1.1']), 'http/1.1');
  t.equal(await settled(http1.port, ['h2']), 'refused');
  t.equal(await settled(h2.port, ['http/1.1']), 'refused');
  t.notOk(await served(h2.port, {}), 'no ALPN means HTTP/1.1, which is not served');
});
