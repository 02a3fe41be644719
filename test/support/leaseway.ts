// A real leaseway process for end-to-end tests: started from a configuration, asked over its admin API, always ended.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import type { Act, HookOrder, Measure } from './hooked-leaseway.ts';
import { HTTP1 } from './http1-kind.ts';

const BIN = resolve(import.meta.dirname, '../../bin/leaseway.ts');
const HOOKED = resolve(import.meta.dirname, 'hooked-leaseway.ts');
const START_WITHIN_MS = 30_000;

/** The line `run --json` prints when everything serves. */
export interface Serving {
  readonly event: 'serving';
  readonly pid: number;
  readonly listeners: readonly { readonly address: string; readonly port: number }[];
  readonly admin: { readonly address: string; readonly port: number };
}

/** An answer of the admin API: its shapes are the API's own tests' business. */
// biome-ignore lint/suspicious/noExplicitAny: what a test reads of it, it asserts.
export type Json = any;

export interface LeasewayOptions {
  /** leaseway.yaml as an object; listeners and admin are on port 0 unless given. */
  readonly config?: Record<string, unknown>;
  /** clusters/NAME.yaml as objects. */
  readonly clusters: Record<string, unknown>;
  readonly env?: NodeJS.ProcessEnv;
  /** For `run`, after the folder. */
  readonly args?: readonly string[];
  /** Threads that obey `hook` and `measure`. */
  readonly hooked?: boolean;
  /** Limit of open files, soft and hard. */
  readonly openFiles?: number;
}

export class Leaseway implements AsyncDisposable {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly log: string[] = [];
  #serving: Serving[] = [];
  #waiting: (() => void)[] = [];

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder;
    this.child = child;
    createInterface({ input: child.stdout! }).on('line', line => {
      if (!line.startsWith('{"event":"serving"')) return void this.log.push(line);
      this.#serving.push(JSON.parse(line));
      for (const wake of this.#waiting.splice(0)) wake();
    });
    createInterface({ input: child.stderr! }).on('line', line => this.log.push(line));
  }

  static async start(options: LeasewayOptions): Promise<Leaseway> {
    const folder = mkdtempSync(join(tmpdir(), 'leaseway-test-'));
    writeConfig(folder, options);
    const script = options.hooked ? HOOKED : BIN;
    const limited = options.openFiles === undefined ? [] : ['prlimit', `--nofile=${options.openFiles}`];
    const [program, ...words] = [...limited, process.execPath, script, 'run', folder, '--json'];
    const child = spawn(program!, [...words, ...(options.args ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.hooked ? (['ipc'] as const) : [])],
      env: { ...process.env, NO_COLOR: '1', ...options.env },
    });
    const leaseway = new Leaseway(folder, child);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`leaseway ended with ${code} before it served:\n${leaseway.log.join('\n')}`);
    });
    const late = new Promise<never>((_, reject) => {
      setTimeout(
        () => reject(new Error(`not serving:\n${leaseway.log.join('\n')}`)),
        START_WITHIN_MS,
      ).unref();
    });
    try {
      await Promise.race([leaseway.generation(1), ended, late]);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    ended.catch(() => {});
    late.catch(() => {});
    return leaseway;
  }

  /** Makes a thread of a hooked leaseway do this; threads are `control` and `worker-0` on. */
  hook(thread: string, act: Act): void {
    this.child.send({ thread, act } satisfies HookOrder);
  }

  /** What a thread of a hooked leaseway holds after a garbage collection. */
  async measure(thread: string): Promise<Measure> {
    const answer = once(this.child, 'message');
    this.hook(thread, 'measure');
    return ((await answer) as [Measure])[0];
  }

  /** Of the process that serves now: the last that said so. */
  get serving(): Serving {
    return this.#serving.at(-1)!;
  }

  get pid(): number {
    return this.serving.pid;
  }

  /** Port of the nth listener. */
  port(index = 0): number {
    return this.serving.listeners[index]!.port;
  }

  url(index = 0): string {
    return `http://127.0.0.1:${this.port(index)}`;
  }

  /** Resolves when the nth process (1 is the first) has said that it serves. */
  async generation(n: number): Promise<Serving> {
    while (this.#serving.length < n) await new Promise<void>(resolve => this.#waiting.push(resolve));
    return this.#serving[n - 1]!;
  }

  /** Asks the admin API; writes carry the token and `If-Match: *`. */
  async admin(
    path: string,
    method = 'GET',
    body?: unknown,
  ): Promise<{ status: number; body: Json; text: string }> {
    const { readFileSync } = await import('node:fs');
    const response = await fetch(`http://127.0.0.1:${this.serving.admin.port}${path}`, {
      method,
      headers: {
        ...(method === 'GET'
          ? {}
          : {
              authorization: `Bearer ${readFileSync(join(this.folder, 'state/admin-token'), 'utf8').trim()}`,
              'if-match': '*',
            }),
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json');
    return { status: response.status, text, body: json ? JSON.parse(text) : undefined };
  }

  async status(): Promise<Json> {
    return (await this.admin('/v1/status')).body;
  }

  /** Polls until `done` answers something other than undefined or false; the condition is what is waited for, not the time. */
  async until<T>(
    done: () => Promise<T | undefined | false> | T | undefined | false,
    withinMs = 20_000,
  ): Promise<T> {
    const end = performance.now() + withinMs;
    for (;;) {
      const value = await done();
      if (value !== undefined && value !== false) return value;
      if (performance.now() > end)
        throw new Error(`not within ${withinMs} ms:\n${this.log.slice(-40).join('\n')}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  /** Writes files of the configuration anew; leaseway sees it by itself, or is told by `reload`. */
  rewrite(options: LeasewayOptions): void {
    writeConfig(this.folder, options);
  }

  async reload(): Promise<{ status: number; body: Json }> {
    return this.admin('/v1/reload', 'POST');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    for (const pid of new Set([this.child.pid!, ...this.#serving.map(serving => serving.pid)])) {
      try {
        process.kill(pid, signal);
      } catch {
        continue;
      }
      await this.until(() => !alive(pid)).catch(() => process.kill(pid, 'SIGKILL'));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function writeConfig(folder: string, { config, clusters }: LeasewayOptions): void {
  const root = {
    listeners: [{ address: '127.0.0.1:0' }],
    routes: [{ cluster: Object.keys(clusters)[0] }],
    admin: { address: '127.0.0.1:0' },
    state: { dir: join(folder, 'state') },
    shutdown: { deadline: '10s' },
    http1: HTTP1,
    ...config,
  };
  mkdirSync(join(folder, 'clusters'), { recursive: true });
  for (const [name, cluster] of Object.entries(clusters))
    writeFileSync(join(folder, 'clusters', `${name}.yaml`), stringify(cluster));
  writeFileSync(join(folder, 'leaseway.yaml'), stringify(root));
}
