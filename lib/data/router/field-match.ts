// Conditions of a route on header fields and query parameters, compiled to one predicate each.

import type { RouteConfig } from '../../config/proxy.ts';
import { type Fields, fieldValue, nameIs } from '../../core/fields.ts';
import { compilePattern } from './pattern.ts';

type FieldMatch = RouteConfig['match']['headers'][number];
/** Undefined when the field or parameter is absent. */
type Test = (value: string | undefined) => boolean;

export interface FieldCondition {
  /** Lower case for headers, as written for query parameters. */
  readonly name: string;
  readonly test: Test;
}

function compileTest(match: FieldMatch, where: string): Test {
  if (match.present !== undefined) return value => (value !== undefined) === match.present;
  if (match.exact !== undefined) return value => value === match.exact;
  if (match.prefix !== undefined) return value => value?.startsWith(match.prefix!) === true;
  const pattern = compilePattern(match.regex!, `${where}.regex`);
  return value => value !== undefined && pattern.matches(value);
}

export const compileConditions = (
  matches: readonly FieldMatch[],
  lowerCase: boolean,
  where: string,
): readonly FieldCondition[] =>
  matches.map((match, index) => ({
    name: lowerCase ? match.name.toLowerCase() : match.name,
    test: compileTest(match, `${where}[${index}]`),
  }));

/** Repeated fields are seen as the one list they are (RFC 9110, section 5.3), so a second line cannot hide the first. */
export function headersMatch(conditions: readonly FieldCondition[], fields: Fields): boolean {
  for (const { name, test } of conditions) if (!test(combined(fields, name))) return false;
  return true;
}

function combined(fields: Fields, lower: string): string | undefined {
  let value = fieldValue(fields, lower);
  if (value === undefined) return undefined;
  let seen = 0;
  for (let i = 0; i < fields.length; i += 2)
    if (nameIs(fields[i]!, lower) && ++seen > 1) value += `, ${fields[i + 1]!}`;
  return value;
}

/** The first parameter of the name counts. */
export function queryMatches(conditions: readonly FieldCondition[], query: string): boolean {
  for (const { name, test } of conditions) if (!test(queryValue(query, name))) return false;
  return true;
}

/** The first value of a query parameter, decoded as HTML forms encode it; `query` begins with `?` or is empty. */
function queryValue(query: string, name: string): string | undefined {
  let start = 1;
  while (start < query.length) {
    const and = query.indexOf('&', start);
    const end = and < 0 ? query.length : and;
    const equals = query.indexOf('=', start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (decode(query.slice(start, nameEnd)) === name) return decode(query.slice(nameEnd + 1, end));
    start = end + 1;
  }
  return undefined;
}

/** Text that is not valid percent-encoding stands for itself. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
