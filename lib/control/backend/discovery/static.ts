// A list that is known beforehand: backends that stand in the cluster's file, or were added by the API and kept.

import type { NamedBackend } from '../identity.ts';
import type { Discovery } from '../ports.ts';
import { changesBetween } from './changes.ts';
import type { DiscoverySettings } from './settings.ts';

/** Says the list once and ends: a new list is a new discovery, which the registry starts at a reload. */
export function staticDiscovery(list: readonly NamedBackend[], settings: DiscoverySettings): Discovery {
  return {
    async *watch() {
      yield* changesBetween(settings.known, list);
      settings.answered();
    },
  };
}
