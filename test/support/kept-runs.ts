// Runs of a bench in a file of lines, so that it can stop and go on. A run is known by its key and not by the code it ran.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { hash32 } from '../../lib/core/hash.ts';

export class KeptRuns<Figures> {
  readonly #path: string | undefined;
  readonly #known = new Map<string, Figures>();

  /** Without a path runs are kept for as long as the process lives. */
  constructor(path: string | undefined) {
    this.#path = path;
    if (path === undefined || !existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
      const [key, figures] = JSON.parse(line) as [string, Figures];
      this.#known.set(key, figures);
    }
  }

  find(key: string): Figures | undefined {
    return this.#known.get(key);
  }

  /** False when it was known. */
  keep(key: string, figures: Figures): boolean {
    if (this.#known.has(key)) return false;
    this.#known.set(key, figures);
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify([key, figures])}\n`);
    return true;
  }
}

/** Of all in a scenario that decides how one run comes out; whom it is compared with is not among it. */
export const identityOf = (scenario: object): number =>
  hash32(JSON.stringify({ ...scenario, seeds: 0, policies: 0, goals: 0, baseline: 0 }));
