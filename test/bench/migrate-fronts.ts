// What stands before the backends of the roll, and how an operator takes one of them out of service and back, each in its own way.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Leaseway } from '../support/leaseway.ts';
import { freePort, serves, start, stop } from './rivals-processes.ts';

export interface Front extends AsyncDisposable {
  readonly port: number;
  /** The nth backend gets no new sessions; resolves when nothing more will leave it by itself. */
  drain(nth: number): Promise<void>;
  undrain(nth: number): Promise<void>;
  /** How long each client that was moved was held, so far, in ms. */
  holdsMs(): Promise<number[]>;
}

export type FrontName = 'leaseway' | 'haproxy' | 'nginx';

export interface FrontOptions {
  readonly ports: readonly number[];
  readonly clients: number;
  /** Connections moved a second while a backend drains. */
  readonly pace: number;
  readonly migrate: 'transparent' | 'reconnect';
}

const DRAINED_WITHIN_MS = 120_000;
/** For those who would leave a proxy that cannot move them: the time in which a drain's first sessions could end by themselves. */
const GRACE_MS = 1_000;

export function startFront(name: FrontName, options: FrontOptions): Promise<Front> {
  if (name === 'haproxy') return startHaproxy(options);
  return name === 'nginx' ? startNginx(options) : startLeaseway(options);
}

async function startLeaseway({ ports, clients, pace, migrate }: FrontOptions): Promise<Front> {
  const most = clients + 1_000;
  const leaseway = await Leaseway.start({
    config: {
      ...{
        workers: 1,
        http1: 'native',
        routes: [{ cluster: 'chat' }],
        log: { access: 'off', level: 'warn' },
      },
      leases: { keys: ['a key that signs the leases of the bench'] },
      listeners: [{ address: '127.0.0.1:0', max_connections: most, max_connections_per_client: most }],
    },
    clusters: {
      chat: {
        backends: ports.map((port, i) => ({ id: `b${i}`, url: `http://127.0.0.1:${port}` })),
        balance: { policy: 'least_request' },
        // Those who are not moved may stay until it.
        drain: { pace, deadline: migrate === 'transparent' ? '10m' : '3s' },
        websocket: { migrate },
      },
    },
  });
  const holds = new Map<number, number>();
  const look = async (): Promise<void> => {
    for (const { sequence, outcome, holdMs } of (await leaseway.admin('/v1/decisions?limit=4096')).body.items)
      if (outcome === 'moved' || outcome === 'unclean') holds.set(sequence, holdMs);
  };
  /** Moves of connections that the control plane has not heard of would not be among its decisions. */
  const known = async (): Promise<boolean> => {
    const [chat] = (await leaseway.admin('/v1/sessions')).body.items as { sessions: number }[];
    return chat!.sessions >= clients;
  };
  const order = async (nth: number, what: string, body: object): Promise<void> => {
    const { status, text } = await leaseway.admin(`/v1/backends/chat/b${nth}/${what}`, 'POST', body);
    if (status >= 300) throw new Error(`${what} of b${nth}: ${text}`);
  };
  return {
    port: leaseway.port(),
    async drain(nth) {
      if (migrate === 'transparent') await leaseway.until(known);
      await order(nth, 'drain', { force: true });
      await leaseway.until(async () => {
        const { backend } = (await leaseway.admin(`/v1/backends/chat/b${nth}`)).body;
        return backend.tunnels === 0;
      }, DRAINED_WITHIN_MS);
      await look();
    },
    undrain: nth => order(nth, 'undrain', {}),
    async holdsMs() {
      await look();
      return [...holds.values()];
    },
    [Symbol.asyncDispose]: () => leaseway[Symbol.asyncDispose](),
  };
}

async function startHaproxy({ ports, clients }: FrontOptions): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-roll-'));
  const [port, file, admin] = [await freePort(), join(folder, 'haproxy.cfg'), join(folder, 'admin.sock')];
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn ${clients + 1_000}
  stats socket ${admin} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 60s
  timeout tunnel 1h
listen chat
  bind 127.0.0.1:${port}
  balance leastconn
${ports.map((at, i) => `  server b${i} 127.0.0.1:${at}`).join('\n')}
`,
  );
  const child = await begin('haproxy', ['-db', '-f', file], port, folder);
  const state = async (nth: number, is: string): Promise<void> => {
    const socket = connect(admin);
    socket.end(`set server chat/b${nth} state ${is}\n`);
    socket.resume();
    await once(socket, 'close');
  };
  return {
    ...rival(child, port, folder),
    async drain(nth) {
      await state(nth, 'drain');
      await grace();
    },
    undrain: nth => state(nth, 'ready'),
  };
}

async function startNginx({ ports, clients }: FrontOptions): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-roll-'));
  const [port, file] = [await freePort(), join(folder, 'nginx.conf')];
  const configure = (down: number): void =>
    writeFileSync(
      file,
      `worker_processes 1; daemon off; pid ${folder}/nginx.pid;
events { worker_connections ${2 * clients + 2_000}; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
  upstream chat {
    least_conn;
    ${ports.map((at, i) => `server 127.0.0.1:${at} max_fails=0${i === down ? ' down' : ''};`).join(' ')}
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://chat;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
    }
  }
}
`,
    );
  configure(-1);
  const child = await begin('nginx', ['-c', file, '-e', join(folder, 'error.log')], port, folder);
  const reload = async (down: number): Promise<void> => {
    configure(down);
    child.kill('SIGHUP');
    await grace();
  };
  return { ...rival(child, port, folder), drain: reload, undrain: () => reload(-1) };
}

async function begin(
  program: string,
  args: readonly string[],
  port: number,
  folder: string,
): Promise<ChildProcess> {
  const log = join(folder, 'output.log');
  const child = start(program, args, log);
  const missing = once(child, 'error').then(() => {
    throw new Error(`${program} is not on PATH; on Debian: apt-get install nginx haproxy`);
  });
  missing.catch(() => {});
  await Promise.race([serves(child, port, log), missing]);
  return child;
}

const grace = (): Promise<void> => new Promise(over => setTimeout(over, GRACE_MS));

const rival = (child: ChildProcess, port: number, folder: string) => ({
  port,
  holdsMs: async () => [],
  async [Symbol.asyncDispose]() {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  },
});
