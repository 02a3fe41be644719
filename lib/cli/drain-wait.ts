// Waits until a draining backend is empty, with a progress bar where there is a terminal to draw it on.

import type { BackendReport } from '../control/admin/ports.ts';
import { EXIT } from '../core/exit-codes.ts';
import type { AdminClient } from './admin-client.ts';
import { CliFailure } from './failure.ts';
import { shortDuration } from './figures.ts';
import type { CliIo } from './io.ts';
import { sleepAwake } from './sleep-awake.ts';
import { type BackendAnswer, left } from './target.ts';

const POLL_MS = 500;
/** Past the deadline what is left is being ended, paced; this is how long that may take. */
const GRACE_MS = 120_000;
const BAR_CELLS = 24;

export interface DrainWait {
  readonly client: AdminClient;
  readonly path: string;
  readonly target: string;
  /** As the drain began. */
  readonly first: BackendReport;
  readonly quiet: boolean;
}

/** Throws when somebody ends the drain, or when it does not end. */
export async function waitUntilEmpty(wait: DrainWait, io: CliIo): Promise<{ drained: true; tookMs: number }> {
  const { client, path, target, quiet } = wait;
  const startMs = io.clock.monotonicMs();
  let backend: BackendReport | null = wait.first;
  let most = left(backend);
  const draw = !quiet && io.terminal;
  const untilMs = wait.first.drainUntilMs;
  while (backend !== null && !isEmpty(backend)) {
    if (backend.admin === 'ready')
      throw new CliFailure(EXIT.refused, `${target} drains no longer`, 'it is set to ready');
    if (untilMs !== null && io.clock.wallMs() > untilMs + GRACE_MS)
      throw new CliFailure(EXIT.failed, `${target} still has ${left(backend)} left past its deadline`);
    most = Math.max(most, left(backend));
    if (draw) io.out.write(`\r${bar(backend, most, io.clock.wallMs())}\x1b[K`);
    await sleepAwake(io, POLL_MS);
    backend = await current(client, path);
  }
  const tookMs = io.clock.monotonicMs() - startMs;
  if (draw) io.out.write('\r\x1b[K');
  // Nothing was left to begin with: that has been said.
  if (!quiet && most > 0) io.out.write(`${target} is empty after ${shortDuration(tookMs)}\n`);
  return { drained: true, tookMs };
}

/** A backend that was removed meanwhile has nothing left either. */
async function current(client: AdminClient, path: string): Promise<BackendReport | null> {
  try {
    return (await client.get<BackendAnswer>(path)).value.backend;
  } catch (error) {
    if (error instanceof CliFailure && error.exitCode === EXIT.notFound) return null;
    throw error;
  }
}

/** Between two requests of its sessions nothing is in flight. */
const isEmpty = (backend: BackendReport): boolean =>
  left(backend) === 0 && (backend.sessionsStaying ?? 0) === 0;

export function bar(backend: BackendReport, most: number, nowMs: number): string {
  const remaining = left(backend);
  const done = most === 0 ? BAR_CELLS : Math.floor(((most - remaining) / most) * BAR_CELLS);
  const cells = '█'.repeat(done) + '░'.repeat(BAR_CELLS - done);
  const until =
    backend.drainUntilMs === null ? '' : `, ended in ${shortDuration(backend.drainUntilMs - nowMs)}`;
  const staying = backend.sessionsStaying ?? 0;
  const sessions = staying === 0 ? '' : `, and ${Math.ceil(100 * staying)} % of the HTTP sessions`;
  return `${cells} ${remaining} of ${most} left${sessions}${until}`;
}
