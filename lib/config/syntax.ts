// YAML's own errors in the words of someone who has to mend the file.

import type { YAMLParseError, YAMLWarning } from 'yaml';
import { error, type Finding, type Path } from './problem.ts';

const EXPECTED: Readonly<Record<string, string>> = {
  BAD_INDENT: 'keys of one map in one column, and brackets that close',
  BLOCK_AS_IMPLICIT_KEY: 'one "key: value" a line, and quotes around text that holds ": "',
  MISSING_CHAR: 'a closing quote or bracket, or a comma between entries',
  MULTILINE_IMPLICIT_KEY: 'a colon and a space after the key',
  TAB_AS_INDENT: 'spaces',
  TAG_RESOLVE_FAILED: 'a plain value without a tag',
  UNEXPECTED_TOKEN: 'either "- " entries or "key: value" lines in one place',
};

/** `path` is where the parser stood. */
export function syntaxFinding(problem: YAMLParseError | YAMLWarning, text: string, path: Path): Finding {
  if (problem.code === 'DUPLICATE_KEY') {
    const what = `key ${JSON.stringify(String(path.at(-1)))} stands twice in one map`;
    return error(path, { what, expected: 'each key once' });
  }
  if (problem.code === 'MULTIPLE_DOCS')
    return error([], {
      what: 'a second document begins here',
      expected: 'one document a file, without a second ---',
    });
  const start = text.lastIndexOf('\n', problem.pos[0] - 1) + 1;
  const end = text.indexOf('\n', problem.pos[0]);
  const line = text.slice(start, end < 0 ? undefined : end);
  const expected = EXPECTED[problem.code] ?? 'valid YAML';
  const what = `YAML syntax: ${problem.message.split('\n')[0]!}`;
  // In flow style the braces of a variable are YAML's own.
  if (/[[{].*(?<!")\$\{/.test(line)) {
    const hint = `between [ ] or { } a variable needs quotes ("\${NAME}") or the block style`;
    return error(path, { what, expected, hint });
  }
  if (/^\s*[\w-]+:\S/.test(line) && problem.code !== 'TAB_AS_INDENT')
    return error(path, { what, expected, hint: 'a space is needed after the colon' });
  return error(path, { what, expected });
}
