// One process per state directory: a lock file that names its holder, survives crashes as a stale file, and can be handed on.
//
// Node has no flock, so the file is judged by its holder: process id, start time and boot id. Two rules make that race-free:
//  1. A file appears only by link() or rename() of a finished one, so nobody ever reads half a record.
//  2. Who wants the place of a record X (dead, or to be taken over) must first create `….after-<nonce of X>` exclusively. Only its creator may replace X;
//     if the creator dies too, its claim is a dead record like any other and is succeeded by the same rule. So of any number of
//     contenders exactly one has the right to replace, however they interleave.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { LeasewayError } from './errors.ts';
import { isSameProcessAlive, type ProcessIdentity, processIdentity } from './process-identity.ts';

export const LOCK_FILE = 'leaseway.pid';

/** Dead claimants of one dead holder that are walked past; each is a process that was killed within microseconds. */
const MAX_CLAIMS = 32;
const MAX_ATTEMPTS = 16;
const DRAFT = /^leaseway\.pid\.(\d+)-[0-9a-f]+\.new$/;

interface LockRecord extends ProcessIdentity {
  /** Unique for each record ever written. */
  readonly nonce: string;
  /** The process that may take over although the holder lives. */
  readonly heir?: number;
}

const NOBODY: LockRecord = { pid: 0, startTicks: '', bootId: '', nonce: 'unreadable' };

/** Held until disposed, or until the process ends in whatever way. */
export interface ProcessLock extends Disposable {
  /**
   * Names the only process that may take the lock over; null lets any. While one is named, disposing leaves the file alone: the heir's
   * if it took it, otherwise a stale one that the next start replaces. Optional: without it a takeover in the very microseconds in
   * which the old process disposes could lose the file. Un-name only an heir that is dead.
   */
  replaceBy(pid: number | null): void;
}

/** Takes the lock of the directory (made if missing). Throws ALREADY_RUNNING naming the holder's process id. */
export function acquireLock(directory: string): ProcessLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return contend(directory, () => false).lock;
}

/**
 * For the new process of an upgrade: takes the lock from `fromPid` although it lives; disposing there then leaves our file alone.
 * Throws ALREADY_RUNNING when somebody else holds it, or the holder named another heir. `any` takes it from whoever holds it.
 */
export const takeOverLock = Object.assign(
  (directory: string, fromPid: number): ProcessLock =>
    contend(directory, ({ pid, heir }) => pid === fromPid && (heir ?? process.pid) === process.pid).lock,
  {
    /** `replacedPid` is the living process that held it, or null. */
    any(directory: string): { readonly lock: ProcessLock; readonly replacedPid: number | null } {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return contend(directory, () => true);
    },
  },
);

/** `mayReplace` is asked about a living holder; a dead one may always be replaced. */
function contend(
  directory: string,
  mayReplace: (holder: LockRecord) => boolean,
): { lock: ProcessLock; replacedPid: number | null } {
  const path = join(directory, LOCK_FILE);
  const mine: LockRecord = { ...processIdentity(process.pid), nonce: randomBytes(12).toString('hex') };
  const draft = copyOf(path, mine);
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (linkIfAbsent(draft, path)) return { lock: held(path, mine), replacedPid: null };
      const holder = readRecord(path);
      if (holder === undefined) continue;
      const alive = isSameProcessAlive(holder);
      if (alive && !mayReplace(holder)) throw alreadyRunning(directory, holder);
      const claims = claimAfter(path, holder, draft, directory);
      // Between reading the holder and claiming its place another claimant may have finished: then the place is not free any more.
      const still = readRecord(path)?.nonce === holder.nonce;
      // Not the draft itself: renaming one link of a file over another does nothing.
      if (still) renameSync(copyOf(path, mine), path);
      for (const claim of claims) rmSync(claim, { force: true });
      if (!still) continue;
      sweep(directory);
      return { lock: held(path, mine), replacedPid: alive ? holder.pid : null };
    }
    throw new LeasewayError('ALREADY_RUNNING', `${path} keeps changing hands; try again`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The living holder's process id, if any. */
export function lockHolder(directory: string): number | undefined {
  const holder = readRecord(join(directory, LOCK_FILE));
  return holder !== undefined && isSameProcessAlive(holder) ? holder.pid : undefined;
}

function held(path: string, mine: LockRecord): ProcessLock {
  let record = mine;
  return {
    replaceBy(pid) {
      if (readRecord(path)?.nonce !== record.nonce) return;
      const { heir: _, ...rest } = record;
      record = pid === null ? rest : { ...rest, heir: pid };
      renameSync(copyOf(path, record), path);
    },
    [Symbol.dispose]() {
      if (record.heir === undefined && readRecord(path)?.nonce === record.nonce)
        rmSync(path, { force: true });
    },
  };
}

/** Creates the exclusive claim on a dead record's place; returns the claims on the way, to be removed when the replacement is done. */
function claimAfter(path: string, dead: LockRecord, draft: string, directory: string): string[] {
  const claims: string[] = [];
  let predecessor = dead;
  while (claims.length < MAX_CLAIMS) {
    const claim = `${path}.after-${predecessor.nonce}`;
    claims.push(claim);
    if (linkIfAbsent(draft, claim)) return claims;
    const other = readRecord(claim);
    if (other === undefined) claims.pop();
    else if (isSameProcessAlive(other)) throw alreadyRunning(directory, other);
    else predecessor = other;
  }
  throw new LeasewayError('ALREADY_RUNNING', `${path} keeps changing hands; try again`);
}

function alreadyRunning(directory: string, holder: LockRecord): LeasewayError {
  return new LeasewayError('ALREADY_RUNNING', `process ${holder.pid} holds ${directory}`);
}

/** The first line is the bare process id, as init systems and `kill $(head -1 …)` expect it. */
function writeRecord(path: string, record: LockRecord): string {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, `${record.pid}\n${JSON.stringify(record)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return path;
}

const draftName = (path: string): string => `${path}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
const copyOf = (path: string, record: LockRecord): string => writeRecord(draftName(path), record);

function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when there is none. Anything unreadable counts as a dead record, since ours are never half-written. */
function readRecord(path: string): LockRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text.slice(text.indexOf('\n') + 1)) as LockRecord;
    if (Number.isInteger(record.pid) && /^[0-9a-f]+$/.test(record.nonce)) return record;
  } catch {
    // falls through to the dead record
  }
  return NOBODY;
}

/** Removes what contenders that were killed left behind: drafts and claims of dead processes. */
function sweep(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const draftOf = DRAFT.exec(name)?.[1];
    const dead =
      draftOf !== undefined
        ? !isSameProcessAlive(processIdentity(Number(draftOf)))
        : name.startsWith(`${LOCK_FILE}.after-`) && !isSameProcessAlive(readRecord(path) ?? NOBODY);
    if (dead) rmSync(path, { force: true });
  }
}
