// The ways out: SIGTERM finishes what runs, a second one does not wait.

import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { Leaseway } from '../../support/leaseway.ts';
import { RollBackend } from '../../support/roll-backends.ts';

async function stage() {
  const backend = await RollBackend.start();
  const leaseway = await Leaseway.start({
    config: { shutdown: { deadline: '20s' } },
    clusters: { web: { backends: [backend.url] } },
  });
  return {
    backend,
    leaseway,
    async [Symbol.asyncDispose]() {
      await leaseway[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** The status, body and Connection of one answer. */
function get(port: number, path: string): Promise<{ body: string; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path, agent: new http.Agent({ keepAlive: true }) }, response => {
        let body = '';
        response.on('data', chunk => {
          body += chunk;
        });
        response.on('end', () => resolve({ body, connection: response.headers.connection }));
      })
      .on('error', reject);
  });
}

t.test(
  'SIGTERM: what runs finishes, idle connections close, readiness falls, the process exits 0',
  async t => {
    await using s = await stage();
    const { leaseway, backend } = s;
    const idle = connect(leaseway.port(), '127.0.0.1');
    idle.write('GET /idle HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle, 'data');
    const slow = get(leaseway.port(), '/hold');
    await leaseway.until(() => backend.held === 1);
    const exited = once(leaseway.child, 'exit');
    const startMs = performance.now();
    leaseway.child.kill('SIGTERM');
    await leaseway.until(async () => (await leaseway.admin('/readyz')).status === 503);
    await once(idle, 'end');
    const idleMs = performance.now() - startMs;
    t.ok(idleMs < 5_000, `idle connection closed after ${idleMs.toFixed(0)} ms`);
    await t.rejects(fetch(leaseway.url()), 'nothing new is taken');
    t.equal(leaseway.child.exitCode, null, 'it waits for the request');
    backend.release();
    t.match(await slow, { body: 'released', connection: 'close' });
    t.strictSame(await exited, [0, null]);
    t.ok(performance.now() - startMs < 20_000);
  },
);

t.test('SIGTERM: an idle connection may ask once more and is told that it was the last', async t => {
  await using s = await stage();
  const { leaseway, backend } = s;
  const client = connect(leaseway.port(), '127.0.0.1');
  let text = '';
  client.on('data', chunk => {
    text += chunk;
  });
  client.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\n');
  await leaseway.until(() => text.endsWith('/one'));
  leaseway.child.kill('SIGTERM');
  await leaseway.until(() => leaseway.log.some(line => line.includes('shutting down')));
  client.write('GET /two HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(client, 'end');
  t.match(text, /Connection: close\r\n[\s\S]*\/two$/i);
  t.equal(backend.requests, 2);
});

t.test('a second SIGTERM ends at once', async t => {
  await using s = await stage();
  const { leaseway, backend } = s;
  const slow = get(leaseway.port(), '/hold').catch((error: Error) => error);
  await leaseway.until(() => backend.held === 1);
  const exited = once(leaseway.child, 'exit');
  leaseway.child.kill('SIGTERM');
  await leaseway.until(() => leaseway.log.some(line => line.includes('shutting down')));
  const startMs = performance.now();
  leaseway.child.kill('SIGTERM');
  t.strictSame(await exited, [1, null]);
  t.ok(performance.now() - startMs < 2_000);
  t.ok((await slow) instanceof Error);
});
