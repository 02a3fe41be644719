// The three example backends of `leaseway run --with-examples`: a process of their own, so that they outlive an upgrade.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../core/exit-codes.ts';
import type { ListeningSocket } from '../orders/messages.ts';
import { CliFailure } from './failure.ts';

export const EXAMPLE_PORTS = [9001, 9002, 9003] as const;

export interface Examples extends AsyncDisposable {
  /** Of the process that holds them; whoever is told it ends it. */
  readonly pid: number;
  /** What to try, once the proxy serves at `urls`. */
  lines(urls: readonly string[], admin: ListeningSocket | null): string[];
}

/** What the child says once: its ports, or why not. */
export type ExamplesNotice = { readonly ports: readonly number[] } | { readonly error: string };

/** `ports` are for tests; 0 takes a free one. Throws CliFailure when one is taken. */
export async function startExamples(ports: readonly number[] = EXAMPLE_PORTS): Promise<Examples> {
  const script = new URL(`./examples/main${extname(import.meta.filename)}`, import.meta.url);
  const child = fork(fileURLToPath(script), ports.map(String), {
    // The SDK's modules reach a browser with their types stripped.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: 'inherit',
  });
  const [notice] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => [{ error: `their process ended with ${code}` }]),
  ])) as [ExamplesNotice];
  if ('error' in notice) {
    child.kill();
    throw new CliFailure(
      EXIT.failed,
      `the example backends cannot start (${notice.error})`,
      'stop what listens there, or leave --with-examples out',
    );
  }
  // From here on it stands alone: neither our end nor its own holds the other.
  child.disconnect();
  child.unref();
  const exited = once(child, 'exit');
  return {
    pid: child.pid!,
    lines: (urls, admin) => whatToTry(notice.ports, urls, admin),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function whatToTry(
  ports: readonly number[],
  urls: readonly string[],
  admin: ListeningSocket | null,
): string[] {
  const url = urls[0] ?? 'http://localhost:8080';
  // In a clone nothing is installed, and npm finds the Node that the project brings.
  const leaseway = extname(import.meta.filename) === '.ts' ? 'npm run -s leaseway --' : 'leaseway';
  const lines = [
    '',
    `leaseway serves ${urls.join(', ')} in front of three example backends (ports ${ports.join(', ')}).`,
    '',
    '  In a browser, the page names its backend, shows its lease and opens a WebSocket:',
    `    ${url}/`,
    '  A chat and a counter, whose users stay connected where websocket.migrate is on (config/examples/chat.yaml, counter.yaml):',
    `    ${url}/chat   ${url}/counter`,
    '  In another terminal:',
    `    curl -i ${url}/                      # Set-Cookie is the lease`,
    `    curl -c jar -b jar ${url}/whoami     # again and again: one backend`,
    `    curl -N ${url}/stream                # server-sent events`,
    `    curl '${url}/slow?ms=2000'           # in flight while you look at the status`,
    `    ${leaseway} status`,
    `    ${leaseway} drain web/127.0.0.1:${ports[0]} --deadline 1m --wait`,
    `    ${leaseway} undrain web/127.0.0.1:${ports[0]}`,
  ];
  if (admin !== null) lines.push(`    curl http://localhost:${admin.port}/        # the admin API`);
  return [...lines, ''];
}
