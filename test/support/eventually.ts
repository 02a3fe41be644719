// Waits for a condition that real sockets or files bring about, while a fake clock goes on.

import { setTimeout as pause } from 'node:timers/promises';
import type { FakeClock } from './fake-clock.ts';

/** Tries of 5 ms: far more than any of it takes, and an end when it never comes. */
const MAX_TRIES = 2_000;

/** Advances `clock` by `stepMs` before each look. */
export async function eventually(clock: FakeClock, holds: () => boolean, stepMs = 10): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await clock.pass(stepMs);
    if (holds()) return;
    await pause(5);
  }
  throw new Error(`never came true: ${holds}`);
}
