// The version of this build, from the package's own description.

import { createRequire } from 'node:module';

/** The same from source and from the compiled files, which lie one folder deeper. */
export const VERSION: string = read(['../package.json', '../../package.json']);

function read(candidates: readonly string[]): string {
  const require = createRequire(import.meta.url);
  for (const path of candidates) {
    try {
      const { name, version } = require(path) as { name: string; version: string };
      if (name === 'leaseway') return version;
    } catch {
      // Not there: the next.
    }
  }
  return '0.0.0';
}
