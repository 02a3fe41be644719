// Waits until a draining backend is empty, with a progress bar where there is a terminal to draw it on.

import type { BackendStatus } from '../control/backend/ports.ts';
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
  readonly first: BackendStatus;
  readonly quiet: boolean;
}

/** Throws when somebody ends the drain, or when it does not end. */
export async function waitUntilEmpty(wait: DrainWait, io: CliIo): Promise<{ drained: true; tookMs: number }> {
  const { client, path, target, quiet } = wait;
  const startMs = io.clock.monotonicMs();
  let backend: BackendStatus | null = wait.first;
  let most = left(backend);
  const draw = !quiet && io.terminal;
  while (backend !== null && left(backend) > 0) {
    if (backend.admin !== 'drain')
      throw new CliFailure(EXIT.refused, `${target} drains no longer`, `it is set to ${backend.admin}`);
    if (backend.drainUntilMs !== null && io.clock.wallMs() > backend.drainUntilMs + GRACE_MS)
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
async function current(client: AdminClient, path: string): Promise<BackendStatus | null> {
  try {
    return (await client.get<BackendAnswer>(path)).value.backend;
  } catch (error) {
    if (error instanceof CliFailure && error.exitCode === EXIT.notFound) return null;
    throw error;
  }
}

export function bar(backend: BackendStatus, most: number, nowMs: number): string {
  const remaining = left(backend);
  const done = most === 0 ? BAR_CELLS : Math.floor(((most - remaining) / most) * BAR_CELLS);
  const cells = '█'.repeat(done) + '░'.repeat(BAR_CELLS - done);
  const until =
    backend.drainUntilMs === null ? '' : `, ended in ${shortDuration(backend.drainUntilMs - nowMs)}`;
  return `${cells} ${remaining} of ${most} left${until}`;
}
