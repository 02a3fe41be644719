// Backends that operators added by the admin API; the list itself is kept in AdminState.

import type { BackendConfig } from '../../../config/cluster.ts';
import { type NamedBackend, named } from '../identity.ts';
import type { Discovery } from '../ports.ts';
import { changesBetween } from './changes.ts';
import type { DiscoverySettings } from './settings.ts';

export interface ApiDiscovery extends Discovery {
  /** The list was changed. */
  changed(): void;
}

/** `list` reads what is kept; the discovery looks at start and whenever `changed` is called. */
export function apiDiscovery(
  list: () => readonly BackendConfig[],
  settings: Pick<DiscoverySettings, 'known' | 'answered'>,
): ApiDiscovery {
  let wake = Promise.withResolvers<void>();
  return {
    changed: () => wake.resolve(),
    async *watch(signal) {
      const stop = (): void => wake.resolve();
      signal.addEventListener('abort', stop, { once: true });
      let known: readonly NamedBackend[] = settings.known;
      while (!signal.aborted) {
        wake = Promise.withResolvers();
        const now = list().map(named);
        yield* changesBetween(known, now);
        known = now;
        settings.answered();
        if (!signal.aborted) await wake.promise;
      }
    },
  };
}
