// What every discovery is given.

import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Random } from '../../../core/random.ts';
import type { NamedBackend } from '../identity.ts';

export interface DiscoverySettings {
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What the same kind of source said before a reload replaced it: its first answer is a difference to this. */
  readonly known: readonly NamedBackend[];
  /** Called after each answer, an empty or failed one too, once its changes were taken. */
  answered(): void;
}

/** Backends one source may name; the schema's bound on lists. */
export const MAX_LISTED = 4096;
