// Says when the files of a configuration have changed, however they were changed.
//
// Editors write a new file and rename it over the old; Kubernetes swaps the symbolic link `..data` of the folder;
// network file systems and some container mounts send no events at all. So events are only a reason to look, a slow
// poll is another, and what counts is the fingerprint: which files there are and, through every link, inode, size
// and time of each.

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { CLUSTER_FOLDER } from './collect.ts';

/** Quiet for this long counts as written. */
const DEBOUNCE_MS = 200;
/** Reported after this long even if events keep coming. */
const LONGEST_WAIT_MS = 2_000;
const POLL_MS = 5_000;
/** Folders watched by events; the poll covers those beyond. */
const MAX_FOLDERS = 256;

export interface WatchOptions {
  readonly clock: Clock;
  /** Something changed since the last call, or since the watch began. Load it and see. */
  readonly onChange: () => void;
}

export interface ConfigWatch extends Disposable {
  /** The files of the configuration in use, as `loadConfig` gave them: certificates come and go with it. */
  setFiles(files: readonly string[]): void;
}

/** `path` as given to `loadConfig`, `files` as it returned them. */
export function watchConfig(
  path: string,
  files: readonly string[],
  { clock, onChange }: WatchOptions,
): ConfigWatch {
  let watched = files;
  let known = fingerprint(path, watched);
  const folders = new Map<string, FSWatcher>();
  let pending: Disposable | undefined;
  let since: number | undefined;
  let stopped = false;

  const look = (): void => {
    pending = since = undefined;
    if (stopped) return;
    follow();
    const now = fingerprint(path, watched);
    if (now === known) return;
    known = now;
    onChange();
  };
  const touched = (): void => {
    if (stopped) return;
    const now = clock.monotonicMs();
    since ??= now;
    pending?.[Symbol.dispose]();
    pending = clock.after(Math.max(0, Math.min(DEBOUNCE_MS, since + LONGEST_WAIT_MS - now)), look);
  };
  /** Watches the folders of today's files and leaves those of yesterday's. */
  const follow = (): void => {
    const wanted = new Set(
      [path, join(path, CLUSTER_FOLDER), ...watched.map(file => dirname(file))].slice(0, MAX_FOLDERS),
    );
    for (const [folder, watcher] of folders) {
      if (wanted.has(folder)) continue;
      watcher.close();
      folders.delete(folder);
    }
    for (const folder of wanted) if (!folders.has(folder)) start(folder);
  };
  const start = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, touched);
      const forget = (): void => {
        watcher.close();
        if (folders.get(folder) === watcher) folders.delete(folder);
      };
      // A folder that is removed or replaced is taken up again at the next look.
      watcher.on('error', forget);
      folders.set(folder, watcher);
    } catch {
      // No such folder yet, or no watches left in the system: the poll sees it.
    }
  };
  let poll: Disposable;
  const again = (): void => {
    // A folder may have been replaced by another of the same name, which its old watch never tells.
    for (const watcher of folders.values()) watcher.close();
    folders.clear();
    if (pending === undefined) look();
    else follow();
    poll = clock.after(POLL_MS, again);
  };
  follow();
  poll = clock.after(POLL_MS, again);
  return {
    setFiles(next) {
      // What changed while the last load ran must not pass for known.
      const missed = fingerprint(path, watched) !== known;
      watched = next;
      follow();
      known = missed ? '' : fingerprint(path, watched);
      if (missed) touched();
    },
    [Symbol.dispose]() {
      stopped = true;
      pending?.[Symbol.dispose]();
      poll[Symbol.dispose]();
      for (const watcher of folders.values()) watcher.close();
      folders.clear();
    },
  };
}

function fingerprint(path: string, files: readonly string[]): string {
  const clusters = names(join(path, CLUSTER_FOLDER)).map(name => join(path, CLUSTER_FOLDER, name));
  return [...new Set([path, ...clusters, ...files])].map(file => `${file} ${stamp(file)}`).join('\n');
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter(name => /^[^.].*\.ya?ml$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** A folder's own time changes with every file in it, also with ones that are none of ours; only its being there counts. */
function stamp(file: string): string {
  try {
    const found = statSync(file, { bigint: true });
    return found.isDirectory() ? 'folder' : `${found.ino} ${found.size} ${found.mtimeNs}`;
  } catch {
    return 'absent';
  }
}
