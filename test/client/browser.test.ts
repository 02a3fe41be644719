// The SDK in a real browser, bundled as a page would bundle it: connects, sends, comes back, moves, exactly once.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  EnvelopeServer,
  heedDrainNotices,
  MemoryEnvelopeStore,
  onDrainNotice,
} from '../../lib/server/index.ts';
import { LeaseServiceStandIn } from '../support/lease-service.ts';
import { launchChromium, SDK_PAGE, type SdkPage, sdkScript } from '../support/sdk-page.ts';

const bundle = await sdkScript();
const browser = await launchChromium();
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
    service.onRequest(path => (path === '/' ? SDK_PAGE : path === '/page.js' ? bundle : null));
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', error => errors.push(error.message));
    await page.goto(service.url.replace(/^ws(.*)\/chat.*/, 'http$1/'));
    await page.waitForFunction(() => 'talk' in globalThis);
    const talk = page.evaluate(talk => (globalThis as unknown as SdkPage).talk(talk), {
      url: service.url,
      enveloped,
      moves: 3,
    });
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
