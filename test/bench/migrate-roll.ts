// One roll: backends in processes of their own, clients in another, a front between them; every backend in turn is drained, ended, started
// anew and put back, and then all that was said is compared.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BackendSays } from './migrate-backend-process.ts';
import type { ClientsReport, ClientsSay } from './migrate-client-process.ts';
import { type FrontName, startFront } from './migrate-fronts.ts';
import { judge, type Run, total, type Verdict } from './migrate-sequence.ts';

export interface RollSpec {
  readonly front: FrontName;
  readonly migrate: 'transparent' | 'reconnect';
  readonly backends: number;
  readonly clients: number;
  /** Between two messages of a client. */
  readonly periodMs: number;
  readonly pace: number;
}

export interface RollReport extends ClientsReport {
  /** What the backends heard of the clients. */
  readonly heard: Verdict;
  readonly holdsMs: readonly number[];
  readonly seconds: number;
}

const fileOf = (name: string): string => join(import.meta.dirname, name);

export async function roll(spec: RollSpec): Promise<RollReport> {
  const startedMs = performance.now();
  const heard = new Map<string, Run[]>();
  const backends = await Promise.all(Array.from({ length: spec.backends }, () => Backend.start(0)));
  const ports = backends.map(({ port }) => port);
  let clients: ChildProcess | null = null;
  try {
    await using front = await startFront(spec.front, { ...spec, ports });
    const words = [front.port, spec.clients, spec.periodMs].map(String);
    clients = fork(fileOf('migrate-client-process.ts'), words, { execArgv: [] });
    await said<ClientsSay>(clients);
    for (const [nth, backend] of backends.entries()) {
      await front.drain(nth);
      note(heard, await backend.stop());
      backends[nth] = await Backend.start(ports[nth]!);
      await front.undrain(nth);
    }
    clients.send('stop');
    const report = (await said<ClientsSay>(clients)) as ClientsReport;
    const holdsMs = await front.holdsMs();
    for (const backend of backends) note(heard, await backend.stop());
    const verdicts = report.clients.map(({ name, sent }) => judge(sent, heard.get(name) ?? []));
    return {
      ...report,
      heard: total(verdicts),
      holdsMs,
      seconds: (performance.now() - startedMs) / 1000,
    };
  } finally {
    clients?.kill();
    for (const backend of backends) backend.kill();
  }
}

class Backend {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(port: number): Promise<Backend> {
    const child = fork(fileOf('migrate-backend-process.ts'), [String(port)], { execArgv: [] });
    const first = (await said<BackendSays>(child)) as { port: number };
    return new Backend(child, first.port);
  }

  /** Ends it; what it heard, by client. */
  async stop(): Promise<readonly (readonly [string, Run[]])[]> {
    const gone = once(this.#child, 'exit');
    this.#child.send('stop');
    const { heard } = (await said<BackendSays>(this.#child)) as Exclude<BackendSays, { port: number }>;
    await gone;
    return heard;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The next word of a process; throws when it ends instead. */
async function said<Word>(child: ChildProcess): Promise<Word> {
  const word = once(child, 'message');
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${code}`);
  });
  ended.catch(() => {});
  const [what] = (await Promise.race([word, ended])) as [Word];
  return what;
}

function note(heard: Map<string, Run[]>, more: readonly (readonly [string, Run[]])[]): void {
  for (const [client, runs] of more) heard.set(client, [...(heard.get(client) ?? []), ...runs]);
}
