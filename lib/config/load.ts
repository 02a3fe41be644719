// From files to one frozen configuration, or to every problem in them at once.

import { dirname } from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import { bind, place } from './book.ts';
import { check } from './check.ts';
import { checkFiles } from './checks/files.ts';
import { collect, readReferences } from './collect.ts';
import { readDraft } from './draft.ts';
import { resolveFiles } from './file-keys.ts';
import { freezeDeep } from './freeze.ts';
import { findingsOf } from './issues.ts';
import type { Problem } from './problem.ts';
import { type ProxyConfig, Root } from './proxy.ts';
import type { Environment } from './substitute.ts';

export type Loaded =
  | {
      readonly ok: true;
      /** Deeply frozen, files absolute. */
      readonly config: ProxyConfig;
      /** Absolute: every file that was read or referred to; what a watcher watches. */
      readonly files: readonly string[];
      readonly warnings: readonly Problem[];
    }
  | {
      readonly ok: false;
      /** Errors and warnings, by file and line. */
      readonly problems: readonly Problem[];
      readonly files: readonly string[];
      /** Nothing is at `path`. */
      readonly missing: boolean;
    };

/**
 * Reads `path`: a folder with `leaseway.yaml` and `clusters/*.yaml`, or one file that holds all.
 * `env` fills `${VAR}`. Never throws for what is in the files.
 */
export async function loadConfig(
  path: string,
  env: Environment,
  clock: Clock = systemClock,
): Promise<Loaded> {
  const { root, clusters, besides, missing } = await collect(path);
  if (missing !== undefined) {
    const problem = place(missing, root.shown, [], { line: 1, column: 1 });
    return { ok: false, problems: [problem], files: [root.absolute], missing: true };
  }
  const book = bind(root, clusters, env);
  const references = resolveFiles(book.raw, at => dirname(book.fileOf(at).absolute));
  const { draft, config, issues } = readDraft(book.raw, book.partial, book.unread);
  const contents = await readReferences(references);
  const problems = book.problems([
    ...findingsOf(issues, { raw: book.raw, schema: Root, section: book.section }),
    ...check(draft, { besides }),
    ...checkFiles(references, contents, clock.wallMs()),
  ]);
  const watched = references
    .filter(({ kind }) => kind !== 'folder' && kind !== 'log')
    .map(({ file }) => file);
  const files = [...new Set([root.absolute, ...clusters.map(file => file.absolute), ...watched])];
  if (config === undefined || problems.some(({ severity }) => severity === 'error'))
    return { ok: false, problems, files, missing: false };
  return { ok: true, config: freezeDeep(config), files, warnings: problems };
}
