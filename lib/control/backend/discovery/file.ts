// A watched list of backends: taken when it is good, and when it is bad the last good one stays.

import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, sleep } from '../../../core/clock.ts';
import { LeasewayError, messageOf } from '../../../core/errors.ts';
import { type NamedBackend, named } from '../identity.ts';
import type { Discovery } from '../ports.ts';
import type { LoadBackendFile } from './backend-list.ts';
import { changesBetween } from './changes.ts';
import type { DiscoverySettings } from './settings.ts';

/** The folder is watched, but a symlink's far end, network file systems and containers tell nothing: looked at as well. */
const POLL_MS = 2_000;
/** An editor writes in several steps. */
const SETTLE_MS = 50;

export function fileDiscovery(path: string, load: LoadBackendFile, settings: DiscoverySettings): Discovery {
  const { log, cluster, clock } = settings;
  return {
    async *watch(signal) {
      let known: readonly NamedBackend[] = settings.known;
      let stamp: string | undefined;
      let problem = '';
      using events = new FolderEvents(path, clock);
      while (!signal.aborted) {
        const now = await stampOf(path);
        if (now !== stamp) {
          stamp = now;
          try {
            const next = (await load(path)).map(named);
            yield* changesBetween(known, next);
            known = next;
            if (problem !== '') log.info(`${path} is good again: ${next.length} backends`, { cluster });
            problem = '';
          } catch (error) {
            const reason = error instanceof LeasewayError ? error.detail : messageOf(error);
            if (reason !== problem)
              log.error(`${reason}; cluster ${cluster} keeps its last ${known.length} backends`, { cluster });
            problem = reason;
          }
          settings.answered();
        }
        await events.next(signal);
      }
    },
  };
}

/** What changes when the file does, also when another was renamed over it or a symlink in its path points elsewhere. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error';
  }
}

/** Waits for something to happen in the file's folder, or for the next poll. */
class FolderEvents implements Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  #watcher: FSWatcher | undefined;
  #pending = false;
  #wake: (() => void) | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    // Before the first look at the file, so that no change falls between the two.
    this.#watcher = this.#open();
  }

  async next(signal: AbortSignal): Promise<void> {
    // Again after an error, or when the folder itself came later.
    this.#watcher ??= this.#open();
    if (!this.#pending) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await sleep(this.#clock, POLL_MS, AbortSignal.any([signal, woken.signal]));
      this.#wake = undefined;
    }
    if (this.#pending) await sleep(this.#clock, SETTLE_MS, signal);
    this.#pending = false;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }

  #open(): FSWatcher | undefined {
    try {
      const watcher = watch(dirname(this.#path), { persistent: false }, () => {
        this.#pending = true;
        this.#wake?.();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#watcher = undefined;
      });
      return watcher;
    } catch {
      // No such folder yet, or no watches left: polling does it.
      return undefined;
    }
  }
}
