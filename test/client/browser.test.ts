// The SDK in a real browser, bundled as a page would bundle it: connects, sends, comes back, moves, exactly once.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import t from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  EnvelopeServer,
  heedDrainNotices,
  MemoryEnvelopeStore,
  onDrainNotice,
} from '../../lib/server/index.ts';
import { LeaseServiceStandIn } from '../support/lease-service.ts';

const CLIENT = resolve(import.meta.dirname, '../../lib/client/index.ts');
const CHROMIUM =
  process.env.CHROME ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path));

/** What runs in the page: it numbers its messages, and says what came of them. */
interface Page {
  talk(
    enveloped: boolean,
    moves: number,
  ): Promise<{ sent: number; got: string[]; states: string[]; migrated: boolean[]; protocol: string }>;
}

const SCRIPT = `
  import { envelope, LeasewaySocket } from ${JSON.stringify(CLIENT)};
  globalThis.talk = async (enveloped, moves) => {
    const got = [], states = [], migrated = [];
    const socket = new LeasewaySocket(location.origin + '/chat?room=1', ['chat'],
      { retryBaseMs: 10, ...(enveloped && { envelope: envelope() }) });
    socket.addEventListener('state', () => states.push(socket.state));
    socket.addEventListener('migrated', event => migrated.push(event.detail.clean));
    await new Promise(resolve => { socket.onopen = resolve; });
    const protocol = socket.protocol;
    let sent = 0;
    socket.onmessage = ({ data }) => { got.push(data); };
    while (migrated.length < moves || (enveloped && !states.includes('reconnecting'))) {
      for (let i = 0; i < 10; i++) socket.send(String(sent++));
      await new Promise(resolve => setTimeout(resolve, 4));
    }
    while (got.length < sent) await new Promise(resolve => setTimeout(resolve, 4));
    const closed = new Promise(resolve => { socket.onclose = resolve; });
    socket.close(1000);
    await closed;
    return { sent, got, states, migrated, protocol };
  };
`;

const { outputFiles } = await build({
  stdin: { contents: SCRIPT, resolveDir: '/' },
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  platform: 'browser',
});
const bundle = outputFiles[0]!.text;

if (CHROMIUM === undefined) throw new Error('no Chromium: apt-get install chromium, or say where in CHROME');
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu'],
});
t.teardown(() => browser.close());

async function backend(serve: (socket: WebSocket) => void): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: set => [...set][0]! });
  await once(server, 'listening');
  t.teardown(() => void server.close());
  heedDrainNotices(server);
  server.on('connection', serve);
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const enveloped of [false, true])
  t.test(`${enveloped ? 'with the envelope' : 'plain'}`, { timeout: 60_000 }, async t => {
    const store = new MemoryEnvelopeStore();
    const servers = [0, 1].map(() => new EnvelopeServer({ store }));
    const urls = await Promise.all(
      servers.map(server =>
        backend(socket => {
          if (enveloped)
            return server.serve(socket, { message: (conversation, data) => conversation.send(data) });
          socket.on('message', data => socket.send(String(data)));
          onDrainNotice(socket, () => {});
        }),
      ),
    );
    await using service = await LeaseServiceStandIn.start({ backend: nth => urls[nth % 2]! });
    service.onRequest(path =>
      path === '/' ? '<script type=module src=/page.js></script>' : path === '/page.js' ? bundle : null,
    );
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', error => errors.push(error.message));
    await page.goto(service.url.replace(/^ws(.*)\/chat.*/, 'http$1/'));
    await page.waitForFunction(() => 'talk' in globalThis);
    const talk = page.evaluate(enveloped => (globalThis as unknown as Page).talk(enveloped, 3), enveloped);
    const moving = setInterval(() => service.moveAll(), 60);
    // Without an envelope a cut may cost messages, which is no surprise.
    const cutting = enveloped ? setInterval(() => service.cutAll(), 145) : undefined;
    const { sent, got, states, migrated, protocol } = await talk.finally(() => {
      clearInterval(moving);
      clearInterval(cutting);
    });
    t.equal(protocol, 'chat');
    t.same(
      got,
      Array.from({ length: sent }, (_, i) => String(i)),
    );
    t.comment(
      `${sent} messages, ${migrated.length} moves, ${states.filter(state => state === 'reconnecting').length} cuts`,
    );
    t.ok(sent >= 30 && migrated.length >= 3);
    if (!enveloped) t.ok(migrated.every(clean => clean));
    t.same(errors, []);
    await page.close();
  });
