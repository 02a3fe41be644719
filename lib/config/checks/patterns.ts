// Regular expressions: RE2 syntax, which runs in linear time whatever a client sends.

import { RE2JS } from 're2js';
import { quoted } from '../describe.ts';
import type { Draft } from '../draft.ts';
import { error, type Finding, type Path } from '../problem.ts';

/** Longer ones are refused: they compile to programs larger than any route needs. */
const MAX_PATTERN = 1024;

export function* checkPatterns(draft: Draft): Generator<Finding> {
  for (const [i, route] of draft.routes.entries()) {
    if (route === undefined) continue;
    const path: Path = ['routes', i];
    yield* pattern(route.match.path?.regex, [...path, 'match', 'path', 'regex']);
    for (const kind of ['headers', 'query'] as const)
      for (const [j, field] of route.match[kind].entries())
        yield* pattern(field.regex, [...path, 'match', kind, j, 'regex']);
    const { regex, to } = route.rewrite ?? {};
    const groups = yield* pattern(regex, [...path, 'rewrite', 'regex']);
    if (groups === undefined || to === undefined) continue;
    for (const [reference, number] of to.matchAll(/\$(\d+)/g))
      if (Number(number) > groups)
        yield error([...path, 'rewrite', 'to'], {
          what: `${reference} has no group: the regex has ${groups === 0 ? 'none' : `only ${groups}`}`,
          expected: ['a group in parentheses', '$1'][groups] ?? `$1 to $${groups}`,
        });
  }
}

/** Returns the number of groups when it is valid. */
function* pattern(text: string | undefined, path: Path): Generator<Finding, number | undefined> {
  if (text === undefined) return undefined;
  if (text.length > MAX_PATTERN) {
    yield error(path, { expected: `at most ${MAX_PATTERN} characters`, found: `${text.length}` });
    return undefined;
  }
  try {
    return RE2JS.compile(text).groupCount();
  } catch (thrown) {
    const reason = (thrown instanceof Error ? thrown.message : String(thrown)).replace(
      /^error parsing regexp: /,
      '',
    );
    yield error(path, {
      what: `${quoted(text)} is no regular expression: ${reason}`,
      expected: 'RE2 syntax',
      hint: hint(text),
    });
    return undefined;
  }
}

function hint(text: string): string {
  if (/\(\?<?[=!]/.test(text))
    return 'RE2 has no look-ahead or look-behind; use a route before this one instead';
  if (/\\[1-9]/.test(text)) return 'RE2 has no back-references';
  if (/^\*/.test(text)) return `for any text write .*${text.slice(1)}`;
  return '';
}
