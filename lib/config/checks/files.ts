// Files that the configuration names: there, readable, and what they should be.

import type { FileReference } from '../file-keys.ts';
import { belongTogether, keyFault, readCertificates } from '../pem.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';

/** What was read of a file: its text, or why not. */
export interface FileContent {
  readonly text: string;
  readonly failure: string;
  /** Permission bits. */
  readonly mode: number;
}
export type FileContents = ReadonlyMap<string, FileContent>;

const EXPECTED: Readonly<Record<FileReference['kind'], string>> = {
  certificate: 'a PEM file with the certificate and its chain',
  key: 'a PEM file with the private key',
  authorities: 'a PEM file with the certificates of the authorities',
  token: 'a file with the admin token',
  backends: 'a YAML or JSON list of backends',
  folder: 'a folder',
  log: 'a file that can be written',
};

const DAY_MS = 86_400_000;

export function* checkFiles(
  references: readonly FileReference[],
  contents: FileContents,
  nowMs: number,
): Generator<Finding> {
  for (const reference of references) {
    const { kind, path, file } = reference;
    const content = contents.get(file);
    if (content === undefined) continue;
    if (content.failure !== '') {
      const words = { what: `${JSON.stringify(file)} ${content.failure}`, expected: EXPECTED[kind] };
      // A list of backends may be written later: its discovery waits for it.
      yield kind === 'backends' ? warning(path, words) : error(path, words);
    } else if (kind === 'key') yield* secret(reference, content);
    else if (kind === 'token') yield* token(reference, content);
    else if (kind === 'authorities' || kind === 'certificate')
      yield* certificate(reference, contents, references, nowMs);
  }
}

function* secret({ path, file }: FileReference, content: FileContent): Generator<Finding> {
  const fault = keyFault(content.text);
  if (fault !== undefined)
    yield error(path, { what: `${JSON.stringify(file)}: ${fault.what}`, expected: fault.expected });
}

function* token({ path, file }: FileReference, content: FileContent): Generator<Finding> {
  if (content.text.trim() === '')
    yield error(path, { what: `${JSON.stringify(file)} is empty`, expected: EXPECTED.token });
  if ((content.mode & 0o077) !== 0)
    yield warning(path, {
      what: `${JSON.stringify(file)} can be read by others (mode ${(content.mode & 0o777).toString(8)})`,
      expected: 'mode 600',
    });
}

function* certificate(
  { kind, path, file }: FileReference,
  contents: FileContents,
  references: readonly FileReference[],
  nowMs: number,
): Generator<Finding> {
  const read = readCertificates(contents.get(file)!.text);
  if ('fault' in read) {
    yield error(path, { what: `${JSON.stringify(file)}: ${read.fault.what}`, expected: read.fault.expected });
    return;
  }
  if (kind === 'authorities') return;
  const leaf = read.certificates[0]!;
  const until = Date.parse(leaf.validTo);
  if (until < nowMs)
    yield warning(path, {
      what: `the certificate ended on ${day(until)}`,
      expected: 'one that is valid now',
    });
  else if (Date.parse(leaf.validFrom) > nowMs + DAY_MS)
    yield warning(path, {
      what: `the certificate begins only on ${day(Date.parse(leaf.validFrom))}`,
      expected: 'one that is valid now',
    });
  const keyPath = [...path.slice(0, -1), 'key'];
  const key = references.find(other => samePath(other.path, keyPath));
  const keyText = key === undefined ? '' : (contents.get(key.file)?.text ?? '');
  if (
    key !== undefined &&
    keyText !== '' &&
    keyFault(keyText) === undefined &&
    !belongTogether(leaf, keyText)
  )
    yield error(key.path, {
      what: `${JSON.stringify(key.file)} is not the key of this certificate`,
      expected: `the private key of ${JSON.stringify(file)}`,
    });
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const samePath = (a: Path, b: Path): boolean => a.length === b.length && a.every((part, i) => part === b[i]);
