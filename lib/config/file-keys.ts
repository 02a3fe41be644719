// Keys whose values are files: made absolute from the folder of the YAML file that names them, so that the working directory never matters.

import { resolve } from 'node:path';
import type { Path } from './problem.ts';

export type FileKind = 'certificate' | 'key' | 'authorities' | 'token' | 'backends' | 'folder' | 'log';

export interface FileReference {
  readonly kind: FileKind;
  readonly path: Path;
  /** Absolute. */
  readonly file: string;
}

/** `*` stands for every name or index. */
const FILE_KEYS: readonly (readonly [FileKind, string])[] = [
  ['certificate', 'listeners.*.tls.certificates.*.cert'],
  ['key', 'listeners.*.tls.certificates.*.key'],
  ['authorities', 'listeners.*.tls.client_ca'],
  ['certificate', 'admin.tls.certificates.*.cert'],
  ['key', 'admin.tls.certificates.*.key'],
  ['authorities', 'admin.tls.client_ca'],
  ['token', 'admin.token_file'],
  ['folder', 'state.dir'],
  ['log', 'log.access'],
  ['authorities', 'clusters.*.tls.ca'],
  ['certificate', 'clusters.*.tls.cert'],
  ['key', 'clusters.*.tls.key'],
  ['backends', 'clusters.*.discovery.file'],
];

/** Not files but words of their own. */
const LOG_WORDS = new Set(['off', 'stdout', 'stderr']);

/** Makes every file in `raw` absolute, in place, and lists them. */
export function resolveFiles(raw: unknown, folderOf: (path: Path) => string): FileReference[] {
  const found: FileReference[] = [];
  const walk = (kind: FileKind, node: unknown, rest: readonly string[], path: Path): void => {
    if (typeof node !== 'object' || node === null) return;
    const [part, ...further] = rest;
    const list = Array.isArray(node);
    const keys = part === '*' ? Object.keys(node) : Object.hasOwn(node, part!) ? [part!] : [];
    for (const key of keys) {
      const here = [...path, list ? Number(key) : key];
      const value = (node as Record<string, unknown>)[key];
      if (further.length > 0) walk(kind, value, further, here);
      else if (typeof value === 'string' && value !== '' && !(kind === 'log' && LOG_WORDS.has(value))) {
        const file = resolve(folderOf(here), value);
        (node as Record<string, unknown>)[key] = file;
        found.push({ kind, path: here, file });
      }
    }
  };
  for (const [kind, pattern] of FILE_KEYS) walk(kind, raw, pattern.split('.'), []);
  return found;
}
