// Load on one proxy, and what the proxy used for it: wrk for HTTP/1.1, h2load for HTTP/2, our own clients for the rest.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClientAnswer, ClientOrder } from './rivals-client-process.ts';
import { OTHER_CORES } from './rivals-processes.ts';
import type { Subject } from './rivals-proxies.ts';
import { LARGE_BYTES } from './rivals-stage.ts';

const run = promisify(execFile);
const CLIENT = join(import.meta.dirname, 'rivals-client-process.ts');
const CONNECTIONS = 64;
const H2_CONNECTIONS = 8;
const H2_STREAMS = 8;
/** Memory is looked at when it has come to rest. */
const REST_MS = 1500;

export interface Measured {
  /** CPU µs of the proxy for a request. */
  readonly cpu: number;
  readonly rate: number;
}

export const BROWSER: readonly (readonly [string, string])[] = [
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['Accept-Language', 'en-US,en;q=0.5'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ['Cookie', 'theme=dark; visitor=0123456789abcdef'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Site', 'same-origin'],
];

/** The HTTP/1.1 loads by name: body and end of a script for wrk; `cookie` is the session's, or empty. */
const WRK: Readonly<Record<string, { readonly tls?: boolean; readonly lua: (cookie: string) => string }>> = {
  'small GET': { lua: cookie => heads(cookie === '' ? [] : [['Cookie', cookie]]) },
  'repeated heads': { lua: cookie => heads(browser(cookie)) },
  'heads that differ': { lua: differing },
  '64 KiB answer': { lua: cookie => `wrk.path = "/large"\n${heads(browser(cookie))}` },
  '64 KiB POST': {
    lua: cookie =>
      `wrk.method = "POST"\nwrk.body = string.rep("x", ${LARGE_BYTES})\n${heads(browser(cookie))}`,
  },
  'TLS kept alive': { tls: true, lua: cookie => heads(browser(cookie)) },
  'TLS new connections': { tls: true, lua: cookie => heads([...browser(cookie), ['Connection', 'close']]) },
};

export const WRK_LOADS: readonly string[] = Object.keys(WRK);

function browser(cookie: string): (readonly [string, string])[] {
  return BROWSER.map(([name, value]) => [
    name,
    name === 'Cookie' && cookie !== '' ? `${value}; ${cookie}` : value,
  ]);
}

const heads = (fields: readonly (readonly [string, string])[]): string =>
  [['Host', 'shop.example.org'] as const, ...fields]
    .map(([name, value]) => `wrk.headers["${name}"] = "${value}"`)
    .join('\n');

/** Path, cookie and request id are new in each request, in fields of unequal length. */
function differing(cookie: string): string {
  const tail = cookie === '' ? '' : `; ${cookie}`;
  return `${heads(browser(cookie).filter(([name]) => name !== 'Cookie'))}
local n = 0
request = function()
  n = n + 1
  wrk.headers["Cookie"] = "theme=dark; visitor=" .. (n * 7919) .. "${tail}"
  wrk.headers["X-Client-Request"] = "r-" .. (n * 104729)
  return wrk.format(nil, "/products/" .. n .. "?page=" .. (n % 10))
end`;
}

/** What a run of wrk has printed, in requests; throws when it met errors. */
export function wrkRequests(output: string): number {
  const requests = Number(/^\s*(\d+) requests in /m.exec(output)?.[1] ?? Number.NaN);
  const errors = /^\s*(Non-2xx.*|Socket errors: connect [1-9].*)$/m.exec(output)?.[1];
  if (!(requests > 0) || errors !== undefined) throw new Error(`wrk: ${errors ?? output}`);
  return requests;
}

export async function wrk(
  proxy: Subject,
  load: string,
  seconds: number,
  cookie: string,
  folder: string,
): Promise<Measured> {
  const { tls, lua } = WRK[load]!;
  const script = join(folder, `${load.replaceAll(' ', '-')}.lua`);
  writeFileSync(script, `${lua(cookie)}\n`);
  const url = tls ? `https://127.0.0.1:${proxy.tlsPort}/` : `http://127.0.0.1:${proxy.port}/`;
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, url];
  return measured(proxy, async () => wrkRequests((await pinned('wrk', args)).stdout));
}

export async function h2load(proxy: Subject, seconds: number): Promise<Measured> {
  const fields = BROWSER.flatMap(([name, value]) => ['-H', `${name.toLowerCase()}: ${value}`]);
  const url = `https://127.0.0.1:${proxy.tlsPort}/`;
  const shape = ['-c', String(H2_CONNECTIONS), '-m', String(H2_STREAMS), '-D', String(seconds)];
  return measured(proxy, async () => {
    const { stdout } = await pinned('h2load', ['-t1', ...shape, ...fields, url]);
    const answered = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? 0);
    if (answered === 0) throw new Error(`h2load: ${stdout}`);
    return answered;
  });
}

export async function echo(proxy: Subject, bytes: number, seconds: number): Promise<Measured> {
  const order: ClientOrder = { kind: 'echo', port: proxy.port, connections: CONNECTIONS, bytes, seconds };
  return measured(proxy, async () => (await client(order)).requests);
}

export async function paced(
  proxy: Subject,
  perSecond: number,
  seconds: number,
  cookie: string,
): Promise<ClientAnswer> {
  return client({ kind: 'paced', port: proxy.port, perSecond, seconds, head: oneHead(cookie) });
}

/** KiB of memory that one idle connection costs. */
export async function idle(proxy: Subject, connections: number, websocket: boolean): Promise<number> {
  const order: ClientOrder = { kind: 'idle', port: proxy.port, connections, websocket, head: oneHead('') };
  const before = proxy.residentKiB();
  const child = spawn('taskset', ['-c', OTHER_CORES, process.execPath, CLIENT, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  if (child.exitCode !== null) throw new Error(`the idle clients ended with ${child.exitCode}`);
  await new Promise(rested => setTimeout(rested, REST_MS));
  const used = proxy.residentKiB() - before;
  child.stdin.end();
  await ended;
  return used / connections;
}

/** The session's cookie, as the proxy gives it with an answer; empty when it gives none. */
export async function sessionCookie(proxy: Subject): Promise<string> {
  const { headers } = await fetch(`http://127.0.0.1:${proxy.port}/`);
  return headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

const oneHead = (cookie: string): string =>
  `GET / HTTP/1.1\r\nHost: shop.example.org\r\n${browser(cookie)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

async function client(order: ClientOrder): Promise<ClientAnswer> {
  const { stdout } = await pinned(process.execPath, [CLIENT, JSON.stringify(order)]);
  const answer = JSON.parse(stdout) as ClientAnswer;
  if (answer.failed > 0 || answer.requests === 0) throw new Error(`clients: ${stdout}`);
  return answer;
}

const pinned = (program: string, args: readonly string[]): Promise<{ stdout: string }> =>
  run('taskset', ['-c', OTHER_CORES, program, ...args]);

async function measured(proxy: Subject, load: () => Promise<number>): Promise<Measured> {
  const before = proxy.cpuUs();
  const began = performance.now();
  const requests = await load();
  const seconds = (performance.now() - began) / 1000;
  return { cpu: (proxy.cpuUs() - before) / requests, rate: requests / seconds };
}
