// A file with a list of backends, YAML or JSON: read, checked, and refused with the place, the reason and what to write.

import { open } from 'node:fs/promises';
import { type BackendConfig, BackendList } from '../../../config/cluster.ts';
import { findingsOf } from '../../../config/issues.ts';
import { type Finding, formatPath, messageFor } from '../../../config/problem.ts';
import { MAX_FILE_BYTES, type Position, parseSource } from '../../../config/source.ts';
import { LeasewayError, messageOf } from '../../../core/errors.ts';

/** Throws CONFIG_INVALID; its detail is `file:line:column path: reason`. */
export type LoadBackendFile = (path: string) => Promise<readonly BackendConfig[]>;

export const loadBackendFile: LoadBackendFile = async path => parseBackendList(path, await readText(path));

async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    // A wrong path to some log must not fill the memory.
    if (size > MAX_FILE_BYTES)
      throw new LeasewayError('CONFIG_INVALID', `${path}: larger than ${MAX_FILE_BYTES} bytes`);
    return await file.readFile('utf8');
  } catch (error) {
    if (error instanceof LeasewayError) throw error;
    throw new LeasewayError('CONFIG_INVALID', `${path}: ${messageOf(error)}`, error);
  }
}

/** The list alone: `- http://10.0.0.1:8000` lines, or maps with id, url and weight. Variables as in the configuration. */
function parseBackendList(path: string, text: string): readonly BackendConfig[] {
  const source = parseSource(path, text, process.env);
  const wrong = source.placed[0];
  if (wrong !== undefined) throw refused(path, wrong.finding, wrong.at);
  const parsed = BackendList.safeParse(source.value);
  if (parsed.success) return parsed.data;
  const context = {
    schema: BackendList,
    raw: source.value,
    section: () => ({ schema: BackendList, depth: 0 }),
  };
  const finding = findingsOf(parsed.error.issues, context)[0]!;
  throw refused(path, finding, source.locate(finding.path, finding.atKey));
}

const refused = (path: string, finding: Finding, { line, column }: Position): LeasewayError =>
  new LeasewayError(
    'CONFIG_INVALID',
    `${path}:${line}:${column} ${formatPath(finding.path)}: ${messageFor(finding)}`,
  );
