// leaseway/client as a page loads it without a bundler: its modules, one by one. In a clone they are TypeScript and their types are stripped.

import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';

const FOLDER = new URL('../../../client/', import.meta.url);
const EXTENSION = extname(import.meta.filename);
const PATH = '/leaseway-client/';
/** What pages import. */
export const CLIENT_PATH = `${PATH}index${EXTENSION}`;

const modules = new Map<string, string>();

/** The module at this path; null when there is none. */
export function clientModule(path: string): string | null {
  if (!path.startsWith(PATH)) return null;
  if (modules.size === 0)
    for (const name of readdirSync(FOLDER))
      if (name.endsWith(EXTENSION) && !name.endsWith('.d.ts')) modules.set(PATH + name, load(name));
  return modules.get(path) ?? null;
}

function load(name: string): string {
  const source = readFileSync(new URL(name, FOLDER), 'utf8');
  return EXTENSION === '.ts' ? stripTypeScriptTypes(source) : source;
}
