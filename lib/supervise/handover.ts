// The upgrade's hands: listening sockets pass from this process to its successor as inherited file descriptors.
//
// Closing a listening socket resets what is queued on it. So the very sockets go on, one per worker: the
// successor is spawned with them as descriptors 4 and up, accepts from the same queues, and only when it
// says `ready` does the old process stop accepting. The kernel never sees the port without a listener.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../core/clock.ts';
import { LeasewayError } from '../core/errors.ts';
import type { ListeningSocket } from '../orders/messages.ts';

const VARIABLE = 'LEASEWAY_HANDOVER';
/** 0–2 are the standard streams, 3 is the channel that says `ready`. */
const FIRST_FD = 4;

/** What a successor inherits; every `fd` is valid in the successor. */
export interface Inheritance {
  readonly fromPid: number;
  readonly sockets: readonly ListeningSocket[];
  readonly admin: ListeningSocket | null;
  /** Process of the example backends, when this is a demonstration. */
  readonly examplesPid: number | null;
}

export interface Estate {
  readonly sockets: readonly ListeningSocket[];
  readonly admin: ListeningSocket | null;
  readonly examplesPid: number | null;
}

/** Was this process started by an upgrade? Asked before the supervisor takes its inheritance. */
export const isSuccessor = (env: Readonly<Record<string, string | undefined>>): boolean =>
  env[VARIABLE] !== undefined;

/** What this process inherited, or null when it was started by a person. The variable is taken out of the environment. */
export function inheritance(env: NodeJS.ProcessEnv): Inheritance | null {
  const text = env[VARIABLE];
  delete env[VARIABLE];
  return text === undefined ? null : (JSON.parse(text) as Inheritance);
}

/** What a successor says to the process that started it, once. */
type Word = { readonly ready: true } | { readonly failed: string };

/** Tells the old process that this one serves. */
export const announceReady = (): Promise<void> => announce({ ready: true });

/** Tells the old process, whose operator asked for the upgrade, why this one cannot serve. */
export const announceFailure = (reason: string): Promise<void> => announce({ failed: reason });

/** The old process may be gone by now: then nobody is to be told. */
function announce(word: Word): Promise<void> {
  return new Promise(resolve => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(word, undefined, {}, () => {
      if (process.connected) process.disconnect();
      resolve();
    });
  });
}

/**
 * Starts the successor with this process's own command line and waits until it serves.
 * Throws UPGRADE_FAILED (the successor is gone by then) when it exits, says that it cannot, is not ready in time, or `signal` aborts.
 */
export async function spawnSuccessor(
  estate: Estate,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<{ readonly pid: number }> {
  const all = estate.admin === null ? estate.sockets : [...estate.sockets, estate.admin];
  const renumbered = all.map((socket, i) => ({ ...socket, fd: FIRST_FD + i }));
  const inherited: Inheritance = {
    fromPid: process.pid,
    sockets: renumbered.slice(0, estate.sockets.length),
    admin: estate.admin === null ? null : renumbered.at(-1)!,
    examplesPid: estate.examplesPid,
  };
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...all.map(socket => socket.fd)],
    env: { ...process.env, [VARIABLE]: JSON.stringify(inherited) },
  });
  try {
    await ready(child, clock, timeoutMs, signal);
  } catch (error) {
    await ended(child);
    throw error;
  }
  // It outlives us: nothing here may keep waiting for it.
  child.removeAllListeners();
  child.unref();
  return { pid: child.pid! };
}

function ready(child: ChildProcess, clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void =>
      settle(new LeasewayError('UPGRADE_FAILED', detail, cause));
    const timer = clock.after(timeoutMs, () => fail(`not ready within ${timeoutMs} ms`));
    const aborted = (): void => fail('this process was told to end');
    const settle = (error?: LeasewayError): void => {
      timer[Symbol.dispose]();
      signal.removeEventListener('abort', aborted);
      child.removeAllListeners();
      child.on('error', () => {});
      if (error === undefined) resolve();
      else reject(error);
    };
    signal.addEventListener('abort', aborted);
    child.once('message', (word: Word) => ('failed' in word ? fail(word.failed) : settle()));
    child.once('error', error => fail(error.message, error));
    child.once('exit', (code, name) =>
      fail(`it ended with ${name ?? `exit code ${code}`}; its messages are on stderr`),
    );
  });
}

/** Wholly gone, so that what it may have taken (the lock) is a dead process's. */
function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve();
  return new Promise(resolve => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
