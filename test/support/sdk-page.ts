// The SDK in a real browser, bundled as a page would bundle it.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';

const CLIENT = resolve(import.meta.dirname, '../../lib/client/index.ts');
const CHROMIUM =
  process.env.CHROME ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path));

export interface Talk {
  /** Of the WebSocket. */
  readonly url: string;
  readonly enveloped: boolean;
  /** It goes on until it was moved so often, and in the envelope also cut. */
  readonly moves: number;
}

export interface Talked {
  readonly sent: number;
  readonly got: string[];
  readonly states: string[];
  /** Whether each move was clean. */
  readonly migrated: boolean[];
  readonly protocol: string;
}

/** What runs in the page: it numbers its messages, and says what came of them. */
export interface SdkPage {
  talk(talk: Talk): Promise<Talked>;
}

const SCRIPT = `
  import { envelope, LeasewaySocket } from ${JSON.stringify(CLIENT)};
  globalThis.talk = async ({ url, enveloped, moves }) => {
    const got = [], states = [], migrated = [];
    const socket = new LeasewaySocket(url, ['chat'], { retryBaseMs: 10, ...(enveloped && { envelope: envelope() }) });
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

/** The page's script: it sets `talk`. */
export async function sdkScript(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: SCRIPT, resolveDir: '/' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
  });
  return outputFiles[0]!.text;
}

export const SDK_PAGE = '<script type=module src=/page.js></script>';

export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === undefined)
    throw new Error('no Chromium: apt-get install chromium, or say where in CHROME');
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}
