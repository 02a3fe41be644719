// zod's issues as findings an operator can act on: one for each mistake, unions included, with what to write instead.

import type * as z from 'zod';
import { describe, quoted, valueAt } from './describe.ts';
import { HABITS } from './habits.ts';
import { hintFor } from './hints.ts';
import { nearest } from './near.ts';
import { error, type Finding, type Path } from './problem.ts';
import { allKeys, keysAt, kindsAt } from './schema-walk.ts';

type Issue = z.core.$ZodIssue;

export interface IssueContext {
  readonly schema: z.ZodType;
  readonly raw: unknown;
  /** Where `schema` begins; hints about where a key belongs stay within it. */
  readonly section: (path: Path) => { readonly schema: z.ZodType; readonly depth: number };
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** Our own words in the schema; zod's defaults never begin so. */
const OWN = 'expected ';
const own = (message: string): string | undefined =>
  message.startsWith(OWN) ? message.slice(OWN.length) : undefined;

export function findingsOf(issues: readonly Issue[], context: IssueContext): Finding[] {
  const seen = new Set<string>();
  const findings = issues
    .flatMap(issue => translate(issue, issue.path as Path, context))
    .filter(finding => {
      // Several checks may refuse the same value; the first says it best.
      const key = JSON.stringify([finding.path, finding.atKey === true]);
      return seen.has(key) ? false : seen.add(key);
    });
  // A misspelt key explains why the right one is missing: one mistake, one problem.
  const misspelt = new Set(findings.flatMap(f => (f.meant === undefined ? [] : [JSON.stringify(f.meant)])));
  return findings.filter(f => !f.lacks?.some(path => misspelt.has(JSON.stringify(path))));
}

/** With the paths that connect a misspelt key to the one that is missing because of it. */
interface Told extends Finding {
  readonly meant?: Path;
  readonly lacks?: readonly Path[];
}

function translate(issue: Issue, path: Path, context: IssueContext): readonly Told[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownKey(path, key, context));
  if (issue.code === 'invalid_union') return union(issue, path, context);
  if (issue.code === 'invalid_key') {
    const expected = own(issue.issues[0]?.message ?? '') ?? 'a name';
    return [error(path, { atKey: true, expected, found: quoted(String(path.at(-1))) })];
  }
  const value = valueAt(context.raw, path);
  if (value === undefined && issue.code !== 'custom') {
    const expected = expectation(issue, path, context);
    return [
      { ...error(path, { what: `${quoted(String(path.at(-1)))} is missing`, expected }), lacks: [path] },
    ];
  }
  const oneOf = issue.code === 'custom' ? (issue.params?.oneOf as readonly string[] | undefined) : undefined;
  if (oneOf !== undefined) {
    const given = oneOf.filter(key => valueAt(value, [key]) !== undefined);
    const found = given.length === 0 ? 'none' : given.join(' and ');
    const lacks = given.length === 0 ? oneOf.map(key => [...path, key]) : [];
    return [{ ...error(path, { expected: `exactly one of ${oneOf.join(', ')}`, found }), lacks }];
  }
  const expected = expectation(issue, path, context);
  const hint = hintFor(issue, value, expected, keysAt(context.schema, path).length > 0);
  return [error(path, { expected, found: describe(value, path), hint })];
}

/** The branch that the value comes closest to, or the union's own words. */
function union(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Path,
  context: IssueContext,
): readonly Told[] {
  const branches = issue.errors.filter(
    issues =>
      !issues.some(i => i.path.length === 0 && (i.code === 'invalid_type' || i.code === 'invalid_value')),
  );
  const message = own(issue.message);
  if (branches.length === 1 || (branches.length > 0 && message === undefined))
    return branches[0]!.flatMap(i => translate(i as Issue, [...path, ...(i.path as Path)], context));
  const value = valueAt(context.raw, path);
  const expected =
    message ??
    kindsAt(context.schema, path)
      .map(kind => KINDS[kind] ?? kind)
      .join(' or ');
  if (value === undefined)
    return [error(path, { what: `${quoted(String(path.at(-1)))} is missing`, expected })];
  return [error(path, { expected, found: describe(value, path) })];
}

function expectation(issue: Issue, path: Path, context: IssueContext): string {
  const words = own(issue.message);
  if (words !== undefined) return words;
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected;
      const keys = issue.expected === 'object' ? keysAt(context.schema, path) : [];
      return keys.length > 0 ? `${kind} with ${listed(keys)}` : kind;
    }
    case 'invalid_value':
      return issue.values.length === 1
        ? String(issue.values[0])
        : `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
    case 'too_big': {
      const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
      const side = issue.code === 'too_small' ? 'at least' : 'at most';
      if (!issue.inclusive) return `a number ${issue.code === 'too_small' ? 'above' : 'below'} ${bound}`;
      if (issue.origin === 'string') return `${side} ${bound} character${bound === 1 ? '' : 's'}`;
      if (issue.origin === 'array') return `${side} ${bound} ${bound === 1 ? 'entry' : 'entries'}`;
      return `${side} ${bound}`;
    }
    case 'invalid_format':
      return issue.format === 'starts_with' && 'prefix' in issue
        ? `text that begins with ${quoted(String(issue.prefix))}`
        : `a valid ${issue.format}`;
    default:
      return 'something else';
  }
}

const listed = (keys: readonly string[]): string =>
  keys.length > 12 ? `${keys.slice(0, 12).join(', ')} …` : keys.join(', ');

function unknownKey(path: Path, key: string, context: IssueContext): Told {
  const known = keysAt(context.schema, path);
  const written = Object.keys((valueAt(context.raw, path) as object | undefined) ?? {});
  // A key that stands there already is not what was meant by a second, misspelt one.
  const free = known.filter(k => !written.includes(k));
  const habit = Object.hasOwn(HABITS, key.toLowerCase()) ? HABITS[key.toLowerCase()] : undefined;
  const meant = nearest(key, free) ?? (habit !== undefined && free.includes(habit) ? habit : undefined);
  const what = `unknown key ${quoted(key)}`;
  const at = [...path, key];
  if (meant !== undefined)
    return { ...error(at, { atKey: true, what, hint: `did you mean "${meant}"?` }), meant: [...path, meant] };
  const twice = nearest(key, known) ?? (habit !== undefined && known.includes(habit) ? habit : undefined);
  if (twice !== undefined)
    return error(at, { atKey: true, what, hint: `leaseway calls it "${twice}", which is there already` });
  const hint = (habit && elsewhere(path, habit, context)) || elsewhere(path, key, context);
  if (hint !== '') return error(at, { atKey: true, what, hint });
  return error(at, {
    atKey: true,
    what,
    expected: known.length > 0 ? `one of ${listed(known)}` : 'no such key',
  });
}

/** A right key in the wrong place: where it belongs. */
function elsewhere(path: Path, key: string, { section }: IssueContext): string {
  const { schema, depth } = section(path);
  const here = path
    .slice(depth)
    .map(part => (typeof part === 'number' ? '[]' : part))
    .join('.')
    .replaceAll('.[]', '[]');
  const places = allKeys(schema)
    .filter(candidate => candidate.split(/[.]/).at(-1) === key)
    .map(candidate => candidate.slice(0, -key.length - 1));
  const below = places.filter(place => here === '' || place.startsWith(`${here}.`));
  const best = [...new Set(below.length > 0 ? below : places)];
  if (best.length === 0 || best.length > 3) return '';
  const names = best.map(place =>
    place === '' ? 'at the top of the file' : `under ${place.replace('.*', '.NAME')}`,
  );
  return `"${key}" belongs ${names.join(' or ')}`;
}
