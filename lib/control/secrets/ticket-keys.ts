// The TLS session-ticket keys: one set for all workers and for the next process, new twice a day.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';

/** What `tls.Server.setTicketKeys` takes: 16 bytes of name, 16 of HMAC key, 16 of AES key. */
const KEY_BYTES = 48;
const ROTATE_EVERY_MS = 12 * 3_600_000;
/** Node's timers take 24.8 days at most, and the wall clock may step: looking once an hour is simple and right. */
const LOOK_EVERY_MS = 3_600_000;
const FILE = 'ticket-keys.json';

interface Kept {
  readonly madeMs: number;
  readonly keys: Buffer;
}

export interface TicketKeys extends Disposable {
  current(): Uint8Array;
}

/** Takes the state directory's keys, or makes them. `rotated` is called with each new set: publish it to the workers. */
export function openTicketKeys(
  directory: string,
  clock: Clock,
  log: Log,
  rotated: (keys: Uint8Array) => void,
): TicketKeys {
  const path = join(directory, FILE);
  let kept = currentKeys(path, clock.wallMs(), log, undefined);
  let timer: Disposable;
  const look = (): void => {
    // During an upgrade two processes share the file: who looks second adopts what the first made.
    const now = currentKeys(path, clock.wallMs(), log, kept);
    if (!now.keys.equals(kept.keys)) {
      kept = now;
      rotated(kept.keys);
    }
    timer = clock.after(LOOK_EVERY_MS, look);
  };
  timer = clock.after(LOOK_EVERY_MS, look);
  return { current: () => kept.keys, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** Those of the file while they are young enough, else (a file that cannot be kept) those in use, else new ones, written before they are used. */
function currentKeys(path: string, nowMs: number, log: Log, inUse: Kept | undefined): Kept {
  for (const kept of [read(path, log), inUse]) if (kept !== undefined && isYoung(kept, nowMs)) return kept;
  const made = { madeMs: nowMs, keys: randomBytes(KEY_BYTES) };
  try {
    writeStateFile(path, { madeMs: made.madeMs, keys: made.keys.toString('base64') });
  } catch (error) {
    log.warn('TLS session-ticket keys cannot be kept; sessions will not resume after a restart', {
      path,
      reason: messageOf(error),
    });
  }
  return made;
}

/** A time in the future comes from a clock that was wrong: such keys might otherwise live for ever. */
const isYoung = ({ madeMs }: Kept, nowMs: number): boolean =>
  madeMs <= nowMs && nowMs - madeMs < ROTATE_EVERY_MS;

function read(path: string, log: Log): Kept | undefined {
  try {
    const content = readStateFile(path) as { madeMs?: unknown; keys?: unknown } | undefined;
    if (content === undefined) return undefined;
    const keys = Buffer.from(String(content.keys), 'base64');
    if (typeof content.madeMs === 'number' && keys.length === KEY_BYTES)
      return { madeMs: content.madeMs, keys };
    throw new Error(`expected ${KEY_BYTES} bytes and a time`);
  } catch (error) {
    log.warn('TLS session-ticket keys cannot be read; new ones are made', { path, reason: messageOf(error) });
    return undefined;
  }
}
