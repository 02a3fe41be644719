// State files that may be damaged: what cannot be read is moved aside and said, and the proxy starts all the same.

import { renameSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile } from '../../core/state-file.ts';

export interface LoadedState {
  /** Undefined when there is none, or none that is JSON. */
  readonly content: unknown;
  /** There was a file, but it was not JSON; it is at `PATH.bad` now. */
  readonly damaged: boolean;
}

/** Reads a state file; one that is not JSON is moved to `PATH.bad` (the one before it there is replaced: one is kept). */
export function loadState(path: string, log: Log): LoadedState {
  try {
    return { content: readStateFile(path), damaged: false };
  } catch (error) {
    log.error(`state file ${path} cannot be read: ${messageOf(error)}; starting without it`, {
      path,
      kept: `${path}.bad`,
    });
    setAside(path, log);
    return { content: undefined, damaged: true };
  }
}

/** Keeps a damaged file where an operator can look at it. */
export function setAside(path: string, log: Log): void {
  try {
    renameSync(path, `${path}.bad`);
  } catch (error) {
    log.error(`cannot move ${path} aside: ${messageOf(error)}`, { path });
  }
}

/** The entries of `content[field]` that `parse` takes; the others are counted as `damaged`. */
export function readEntries<T>(
  content: unknown,
  field: string,
  parse: (entry: unknown) => T | undefined,
): { readonly entries: T[]; readonly damaged: number } {
  const list = (content as Record<string, unknown> | null | undefined)?.[field];
  if (list === undefined) return { entries: [], damaged: 0 };
  if (!Array.isArray(list)) return { entries: [], damaged: 1 };
  const entries: T[] = [];
  for (const entry of list) {
    const parsed = parse(entry);
    if (parsed !== undefined) entries.push(parsed);
  }
  return { entries, damaged: list.length - entries.length };
}
