// Steady load from a process of its own, so that neither the test's event loop nor the proxy's slows the other's figures.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface LoadSpec {
  readonly port: number;
  /** HTTP/1.1 in a closed loop on kept-alive connections. */
  readonly keepAlive?: { readonly connections: number; readonly thinkMs: number };
  readonly http2?: { readonly connections: number; readonly streams: number; readonly thinkMs: number };
  readonly http2Tls?: { readonly connections: number; readonly streams: number; readonly thinkMs: number };
  /** Connections that are kept alive and used now and then. */
  readonly idle?: { readonly connections: number; readonly maxIdleMs: number };
  /** A new connection for each request, open loop. */
  readonly fresh?: { readonly perSecond: number };
  /** Kept-alive connections as many as it takes, open loop. */
  readonly open?: { readonly perSecond: number };
  /** New TLS connections, open loop. */
  readonly tls?: { readonly perSecond: number };
  readonly tlsPort?: number;
  readonly ca?: string;
  readonly serverName?: string;
}

export interface LoadReport {
  readonly seconds: number;
  readonly requests: number;
  readonly perSecond: number;
  /** How many failed, and how, by kind of client. */
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** HTTP/2 requests that the client's own library took back when a GOAWAY came: nothing of them had left. */
  readonly unsent: number;
  readonly kinds: Readonly<Record<string, { readonly requests: number; readonly longestMs: number }>>;
  /** Longest time in which no request of any client was answered well. */
  readonly longestPauseMs: number;
  /** From the moment a request was due. */
  readonly latencyMs: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
}

export class Load implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the first requests have been answered. */
  static async start(spec: LoadSpec): Promise<Load> {
    const child = fork(new URL('./load-process.ts', import.meta.url), [JSON.stringify(spec)], {
      execArgv: [],
    });
    const load = new Load(child);
    while ((await load.report()).requests < 20) await new Promise(again => setTimeout(again, 20));
    return load;
  }

  report(): Promise<LoadReport> {
    return this.#ask('report');
  }

  /** Lets what is under way finish. */
  stop(): Promise<LoadReport> {
    return this.#ask('stop');
  }

  async #ask(word: 'report' | 'stop'): Promise<LoadReport> {
    const asking = new AbortController();
    const { signal } = asking;
    const answer = once(this.#child, 'message', { signal });
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the load process ended with ${code}`);
    });
    this.#child.send(word);
    try {
      return ((await Promise.race([answer, ended])) as [LoadReport])[0];
    } finally {
      for (const other of [answer, ended]) other.catch(() => {});
      asking.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** In a few lines, for a test's output. */
export function reportLines(title: string, report: LoadReport): string {
  const { p50, p99, p999, max } = report.latencyMs;
  const of = (ms: number): string => ms.toFixed(1);
  return [
    `${title}: ${report.requests} requests in ${report.seconds.toFixed(1)} s (${Math.round(report.perSecond)}/s), ${report.failed} failed, ${report.unsent} never sent`,
    `  latency ms p50 ${of(p50)} p99 ${of(p99)} p99.9 ${of(p999)} max ${of(max)}; longest pause ${of(report.longestPauseMs)} ms`,
    ...Object.entries(report.kinds).map(
      ([kind, { requests, longestMs }]) => `  ${kind}: ${requests}, slowest ${of(longestMs)} ms`,
    ),
    ...Object.entries(report.failures)
      .slice(0, 20)
      .map(([reason, n]) => `  FAILED ${n} × ${reason}`),
  ].join('\n');
}
