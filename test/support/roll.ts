// A proxy that is reloaded and upgraded again and again under load: the stage, the steps and the figures of test and bench.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { CertificateEntry } from '../../lib/orders/snapshot.ts';
import { makeAuthority } from './certs.ts';
import { Leaseway, type LeasewayOptions } from './leaseway.ts';
import { Load, type LoadSpec } from './load.ts';
import { RollBackend } from './roll-backends.ts';
import { runCli } from './run-cli.ts';

const NAME = 'roll.test';

export interface Stage extends AsyncDisposable {
  readonly leaseway: Leaseway;
  readonly backends: readonly RollBackend[];
  readonly ca: string;
  load(overrides?: Partial<LoadSpec>): Promise<Load>;
  /** The nth configuration, written; every one differs from the one before. */
  write(n: number): void;
  /** Reads what is on disk by the way whose turn it is; resolves with ms until every answer is by the nth configuration. */
  reload(n: number): Promise<number>;
  /** By signal and by CLI in turn; resolves with ms until the successor said that it serves. */
  upgrade(n: number): Promise<number>;
}

/** Two listeners (plain, TLS), two workers, three backends of which two serve at a time. */
export async function rollStage(
  overrides: Record<string, unknown> = {},
  start: Partial<LeasewayOptions> = {},
): Promise<Stage> {
  const backends = await Promise.all([RollBackend.start(), RollBackend.start(), RollBackend.start()]);
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-roll-'));
  const authority = makeAuthority();
  const certificates = [
    authority.issue([NAME, '127.0.0.1']),
    authority.issue([NAME, '127.0.0.1', 'other.test']),
  ];
  writeCertificate(folder, certificates[0]!);
  const configOf = (n: number): LeasewayOptions => configuration(n, folder, backends, overrides);
  const leaseway = await Leaseway.start({ ...configOf(0), ...start });
  let upgrades = 0;
  const write = (n: number): void => {
    if (n % 5 === 0) writeCertificate(folder, certificates[(n / 5) % 2]!);
    leaseway.rewrite(configOf(n));
  };
  return {
    leaseway,
    backends,
    ca: authority.ca,
    load: more =>
      Load.start({
        ...{ port: leaseway.port(0), tlsPort: leaseway.port(1), ca: authority.ca, serverName: NAME },
        keepAlive: { connections: 8, thinkMs: 10 },
        http2: { connections: 2, streams: 3, thinkMs: 10 },
        idle: { connections: 20, maxIdleMs: 4_000 },
        fresh: { perSecond: 60 },
        open: { perSecond: 100 },
        tls: { perSecond: 10 },
        ...more,
      }),
    write,
    async reload(n) {
      const startMs = performance.now();
      write(n);
      if (n % 3 === 0) {
        const { status, body } = await leaseway.reload();
        if (status !== 200) throw new Error(`reload ${n}: ${JSON.stringify(body)}`);
      } else if (n % 3 === 1) process.kill(leaseway.pid, 'SIGHUP');
      // Else the file watch sees it.
      await leaseway.until(async () => {
        // Each on a new connection: any worker may answer, all must know.
        const marks = await Promise.all(Array.from({ length: 6 }, () => markOf(leaseway.port(0))));
        return marks.every(mark => mark === String(n));
      });
      return performance.now() - startMs;
    },
    async upgrade(n) {
      const startMs = performance.now();
      const before = leaseway.pid;
      upgrades += 1;
      if (n % 2 === 0) process.kill(before, 'SIGUSR2');
      else {
        const admin = `http://127.0.0.1:${leaseway.serving.admin.port}`;
        const { code, err } = await runCli(['upgrade', '--admin', admin, '--json']);
        if (code !== 0) throw new Error(`leaseway upgrade: exit ${code}: ${err}`);
      }
      await leaseway.generation(upgrades + 1);
      const tookMs = performance.now() - startMs;
      await leaseway.until(() => !isAlive(before), 30_000);
      return tookMs;
    },
    async [Symbol.asyncDispose]() {
      await leaseway[Symbol.asyncDispose]();
      await Promise.all(backends.map(backend => backend[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(
  n: number,
  folder: string,
  backends: readonly RollBackend[],
  overrides: Record<string, unknown>,
): LeasewayOptions {
  const policies = ['p2c', 'round_robin', 'least_request', 'random'];
  const certificate = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  return {
    config: {
      workers: 2,
      listeners: [
        { address: '127.0.0.1:0' },
        { address: '127.0.0.1:0', tls: { certificates: [certificate] } },
      ],
      routes: [
        // The same in all of them: what runs over these two must not notice.
        { name: 'websocket', match: { path: '/ws' }, cluster: 'steady' },
        { name: 'drip', match: { path: '/drip' }, cluster: 'steady' },
        ...(n % 2 === 1 ? [{ name: `own-${n}`, match: { path: '/own' }, respond: { body: 'own' } }] : []),
        { name: 'all', cluster: 'web', response_headers: { set: { 'X-Roll': String(n) } } },
      ],
      ...overrides,
    },
    clusters: {
      steady: { backends: [backends[0]!.url] },
      web: {
        backends: backends.filter((_, i) => i !== n % 3).map(backend => backend.url),
        balance: { policy: policies[n % policies.length] },
        // Every seventh time all connections to backends are made anew.
        timeouts: { connect: n % 7 === 6 ? '4s' : '5s', head: `${20 + (n % 10)}s` },
      },
    },
  };
}

function writeCertificate(folder: string, { cert, key }: CertificateEntry): void {
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
}

/** Which configuration an answer went by. */
function markOf(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/mark', agent: false }, response => {
        response.resume();
        resolve(response.headers['x-roll'] as string | undefined);
      })
      .on('error', reject);
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Open file descriptors of a process. */
export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** A WebSocket that says something every 50 ms and checks what comes back. */
export class EchoSocket {
  readonly #socket: WebSocket;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  echoed = 0;
  wrong = 0;
  /** Close code, once closed. */
  closed: number | null = null;
  closedMs = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', data => {
      if (String(data) === `message ${this.echoed}`) this.echoed += 1;
      else this.wrong += 1;
    });
    socket.on('error', () => {});
    socket.on('close', code => {
      this.closed = code;
      this.closedMs = performance.now();
      clearInterval(this.#timer);
    });
    this.#timer = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send(`message ${this.#sent++}`);
    }, 50);
  }

  static async open(port: number, path = '/ws'): Promise<EchoSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return new EchoSocket(socket);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  cut(): void {
    clearInterval(this.#timer);
    this.#socket.terminate();
  }
}

/** A long download: how many bytes have come, and how it ended. */
export class Download {
  bytes = 0;
  ended: 'no' | 'whole' | 'cut' = 'no';
  readonly #request: http.ClientRequest;

  constructor(port: number, path = '/drip/20') {
    this.#request = http.get({ host: '127.0.0.1', port, path, agent: false }, response => {
      response.on('data', (chunk: Buffer) => {
        this.bytes += chunk.length;
      });
      response.on('error', () => {});
      response.on('close', () => {
        this.ended = response.complete ? 'whole' : 'cut';
      });
    });
    this.#request.on('error', () => {
      this.ended = 'cut';
    });
  }

  leave(): void {
    this.#request.destroy();
  }
}
