// A file with a list of backends, YAML or JSON: read, checked, and refused with the place and the reason.

import { open } from 'node:fs/promises';
import { isMap, isNode, LineCounter, parseDocument } from 'yaml';
import { type BackendConfig, BackendList } from '../../../config/cluster.ts';
import { LeasewayError, messageOf } from '../../../core/errors.ts';

/** Far above 4096 backends with long names; a wrong path to some log must not fill the memory. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Throws CONFIG_INVALID with `file:line:col reason`. */
export type LoadBackendFile = (path: string) => Promise<readonly BackendConfig[]>;

export const loadBackendFile: LoadBackendFile = async path => parseBackendList(path, await readText(path));

async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > MAX_BYTES)
      throw new LeasewayError('CONFIG_INVALID', `${path}: larger than ${MAX_BYTES} bytes`);
    return await file.readFile('utf8');
  } catch (error) {
    if (error instanceof LeasewayError) throw error;
    throw new LeasewayError('CONFIG_INVALID', `${path}: ${messageOf(error)}`, error);
  }
}

/** The list in `text`; it may stand alone or, as in a cluster file, under `backends`. */
export function parseBackendList(path: string, text: string): readonly BackendConfig[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: false });
  const fail = (offset: number, reason: string): never => {
    const { line, col } = lines.linePos(offset);
    throw new LeasewayError('CONFIG_INVALID', `${path}:${line}:${col} ${reason}`);
  };
  const wrong = document.errors[0];
  if (wrong !== undefined) return fail(wrong.pos[0], wrong.message);
  // Aliases are refused by count: a few lines can otherwise unfold into gigabytes.
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  const prefix = isMap(document.contents) ? ['backends'] : [];
  const list = prefix.length === 0 ? content : (content as { readonly backends?: unknown }).backends;
  const parsed = BackendList.safeParse(list);
  if (parsed.success) return parsed.data;
  const issue = deepest(parsed.error.issues);
  const at = [...prefix, ...issue.path];
  // The nearest node that exists: what is missing has no place of its own.
  for (let depth = at.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(at.slice(0, depth), true);
    if (isNode(node) && node.range) return fail(node.range[0], `${at.join('.')}: ${issue.message}`);
  }
  return fail(0, 'expected a list of backends');
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  readonly errors?: readonly (readonly Issue[])[] | undefined;
}

/** A union says only "invalid input"; the issue of the branch that came furthest says what is wrong. */
function deepest(issues: readonly Issue[]): Issue {
  const first = issues[0]!;
  if (first.code !== 'invalid_union' || first.errors === undefined) return first;
  const inner = first.errors
    .filter(branch => branch.length > 0)
    .map(deepest)
    .reduce((best, issue) => (issue.path.length > best.path.length ? issue : best));
  return { ...inner, path: [...first.path, ...inner.path] };
}
