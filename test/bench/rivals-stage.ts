// What all proxies stand in front of: an nginx that answers from memory, a WebSocket echo, certificates.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../support/certs.ts';
import { freePort, OTHER_CORES, pin, serves, start, stop } from './rivals-processes.ts';
import type { Stage } from './rivals-proxies.ts';

export const LARGE_BYTES = 64 * 1024;
const BACKENDS = 2;

export class BenchStage implements Stage, AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'leaseway-bench-'));
  readonly pem = join(this.folder, 'site.pem');
  readonly cert = join(this.folder, 'site.crt');
  readonly key = join(this.folder, 'site.key');
  backends: number[] = [];
  websocket = 0;
  readonly #children: ChildProcess[] = [];

  /** Without nginx the echo answers requests too, which costs more than nginx does. */
  static async open(withNginx = true): Promise<BenchStage> {
    const stage = new BenchStage();
    const { cert, key } = makeAuthority().issue(['shop.example.org', '127.0.0.1']);
    writeFileSync(stage.cert, cert);
    writeFileSync(stage.key, key, { mode: 0o600 });
    writeFileSync(stage.pem, `${cert}\n${key}`, { mode: 0o600 });
    await stage.#echo();
    if (withNginx) await stage.#nginx();
    else stage.backends = [stage.websocket];
    return stage;
  }

  async #echo(): Promise<void> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'rivals-backend-process.ts')], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    this.websocket = Number(String(((await once(child.stdout!, 'data')) as [Buffer])[0]));
    pin(child.pid!, OTHER_CORES);
  }

  async #nginx(): Promise<void> {
    const folder = join(this.folder, 'backend');
    mkdirSync(folder);
    writeFileSync(join(folder, 'large'), Buffer.alloc(LARGE_BYTES, 'x'));
    for (let i = 0; i < BACKENDS; i++) this.backends.push(await freePort());
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      kind => `${kind}_temp_path ${folder}/${kind};`,
    );
    const file = join(folder, 'nginx.conf');
    const log = join(folder, 'error.log');
    writeFileSync(
      file,
      `user root; worker_processes 1; daemon off; pid ${folder}/nginx.pid;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 100000000; sendfile on; tcp_nopush on; open_file_cache max=10;
  client_max_body_size 10m; ${temporary.join(' ')}
  default_type text/plain;
  server {
    ${this.backends.map(port => `listen 127.0.0.1:${port} backlog=4096;`).join(' ')}
    location / { return 200 ok; }
    location = /large { alias ${folder}/large; }
  }
}
`,
    );
    const child = start('nginx', ['-c', file, '-e', log], log);
    this.#children.push(child);
    await serves(child, this.backends[0]!, log);
    pin(child.pid!, OTHER_CORES);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(stop));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
