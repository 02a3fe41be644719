// What is wrong in a configuration, where, and what to write instead: the one shape all checks report in.

export type Severity = 'error' | 'warning';
/** Where in the parsed configuration: keys and list indices from the top. */
export type Path = readonly (string | number)[];

/** A problem by its path only; its place in a file is looked up when all are known. */
export interface Finding {
  readonly severity: Severity;
  readonly path: Path;
  /** Point at the key rather than at its value. */
  readonly atKey?: boolean;
  /** A statement of what is wrong; empty when expected and found say it all. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  readonly hint: string;
}

export interface Problem {
  readonly severity: Severity;
  /** As the operator named it, or relative to what they named. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Within that file, such as `routes[0].cluster`; `(file)` when the whole file is meant. */
  readonly path: string;
  readonly message: string;
  readonly expected: string;
  readonly found: string;
  readonly hint: string;
}

type Words = Partial<Pick<Finding, 'what' | 'expected' | 'found' | 'hint' | 'atKey'>>;
const finding = (severity: Severity, path: Path, words: Words): Finding => ({
  severity,
  path,
  what: '',
  expected: '',
  found: '',
  hint: '',
  ...words,
});

export const error = (path: Path, words: Words): Finding => finding('error', path, words);
export const warning = (path: Path, words: Words): Finding => finding('warning', path, words);

/** One sentence: what is wrong, what was expected and found, what to do. */
export function messageFor({ what, expected, found, hint }: Finding): string {
  const contrast = expected && `expected ${expected}${found && `, found ${found}`}`;
  return [what, contrast, hint].filter(part => part !== '').join('; ');
}

const PLAIN_KEY = /^[A-Za-z0-9_-]+$/;

/** `routes[0].cluster`, `clusters["my.app"].backends`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (PLAIN_KEY.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text === '' ? '(file)' : text;
}

/** `config/clusters/web.yaml:5:5 balance.polcy: unknown key "polcy"; did you mean "policy"?` */
export const formatProblem = (p: Problem): string =>
  `${p.file}:${p.line}:${p.column} ${p.severity === 'warning' ? 'warning: ' : ''}${p.path}: ${p.message}`;

/** `3 problems in 2 files`, with warnings counted apart. */
export function summarize(problems: readonly Problem[]): string {
  const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
  const errors = problems.filter(p => p.severity === 'error').length;
  const warnings = problems.length - errors;
  const counts = [errors > 0 && plural(errors, 'problem'), warnings > 0 && plural(warnings, 'warning')];
  return `${counts.filter(Boolean).join(' and ')} in ${plural(new Set(problems.map(p => p.file)).size, 'file')}`;
}
