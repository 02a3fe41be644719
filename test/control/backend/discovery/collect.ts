// Follows a discovery as the registry does, for tests.

import type { DiscoverySettings } from '../../../../lib/control/backend/discovery/settings.ts';
import type { NamedBackend } from '../../../../lib/control/backend/identity.ts';
import type { BackendChange, Discovery } from '../../../../lib/control/backend/ports.ts';
import { seededRandom } from '../../../../lib/core/random.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryLog } from '../../../support/memory-log.ts';

export class Follower implements Disposable {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly changes: string[] = [];
  readonly backends = new Map<string, { readonly url: string; readonly weight: number }>();
  answers = 0;
  ended = false;
  readonly #aborter = new AbortController();
  readonly #known: readonly NamedBackend[];

  constructor(known: readonly NamedBackend[] = []) {
    this.#known = known;
    for (const { id, url, weight } of known) this.backends.set(id, { url, weight });
  }

  get settings(): DiscoverySettings {
    return {
      cluster: 'web',
      clock: this.clock,
      random: seededRandom(7),
      log: this.log,
      known: this.#known,
      answered: () => {
        this.answers++;
      },
    };
  }

  follow(discovery: Discovery): void {
    void this.#run(discovery);
  }

  get ids(): readonly string[] {
    return [...this.backends.keys()];
  }

  [Symbol.dispose](): void {
    this.#aborter.abort();
  }

  async #run(discovery: Discovery): Promise<void> {
    for await (const change of discovery.watch(this.#aborter.signal)) this.#take(change);
    this.ended = true;
  }

  #take(change: BackendChange): void {
    if (change.kind === 'remove') {
      this.changes.push(`- ${change.id}`);
      this.backends.delete(change.id);
      return;
    }
    const { id = '?', url, weight } = change.backend;
    this.changes.push(`${change.kind === 'insert' ? '+' : '~'} ${id}`);
    this.backends.set(id, { url, weight });
  }
}
