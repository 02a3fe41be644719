// Any scenario file: found, of a size that can be read, YAML, of its schema, without contradictions; or every problem in it.

import { readFile, stat } from 'node:fs/promises';
import type * as z from 'zod';
import { place } from '../../config/book.ts';
import { findingsOf } from '../../config/issues.ts';
import { error, type Finding, type Problem } from '../../config/problem.ts';
import { MAX_FILE_BYTES, parseSource } from '../../config/source.ts';

export type Loaded<T> =
  | { readonly ok: true; readonly scenario: T }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly missing: boolean };

export type Refused = Extract<Loaded<never>, { readonly ok: false }>;

export async function loadAs<T>(
  path: string,
  read: (file: string, text: string) => Loaded<T>,
): Promise<Loaded<T>> {
  const file = await textOf(path);
  return file.ok ? read(path, file.text) : file;
}

/** The text of a scenario's file, if that is one and of a size that can be read. */
export async function textOf(path: string): Promise<{ readonly ok: true; readonly text: string } | Refused> {
  const bytes = await stat(path).then(
    found => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
  const start = { line: 1, column: 1 };
  const refuse = (what: string, missing: boolean): Refused => ({
    ok: false,
    problems: [place(error([], { what, expected: 'a scenario in YAML' }), path, [], start)],
    missing,
  });
  if (bytes === undefined) return refuse('no such file', true);
  if (bytes > MAX_FILE_BYTES) return refuse(`is larger than ${MAX_FILE_BYTES} bytes`, false);
  return { ok: true, text: await readFile(path, 'utf8') };
}

/** What a scenario is of: its key `sessions` makes it one of sessions. What is no YAML is left to `readAs` to complain of. */
export function scenarioKind(file: string, text: string): 'requests' | 'sessions' {
  const { value } = parseSource(file, text, {});
  return typeof value === 'object' && value !== null && 'sessions' in value ? 'sessions' : 'requests';
}

/** `file` is how problems name it. */
export function readAs<T>(
  schema: z.ZodType<T>,
  contradictions: (scenario: T) => Finding[],
  file: string,
  text: string,
): Loaded<T> {
  const source = parseSource(file, text, {});
  const problem = (finding: Finding): Problem =>
    place(finding, file, finding.path, source.locate(finding.path, finding.atKey));
  const syntax = source.placed.map(({ finding, at }) => place(finding, file, finding.path, at));
  if (syntax.length > 0) return { ok: false, problems: syntax, missing: false };
  const parsed = schema.safeParse(source.value);
  const findings = parsed.success
    ? contradictions(parsed.data)
    : findingsOf(parsed.error.issues, {
        raw: source.value,
        schema,
        section: () => ({ schema, depth: 0 }),
      });
  if (parsed.success && findings.length === 0) return { ok: true, scenario: parsed.data };
  return { ok: false, problems: findings.map(problem), missing: false };
}
