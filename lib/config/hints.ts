// What to write instead, where a wrong value lets one guess what was meant.

import type * as z from 'zod';
import { VALUE_HABITS } from './habits.ts';
import { didYouMean } from './near.ts';

/** `expected` is what the message says; `isSection` when a map of known keys belongs there. */
export function hintFor(
  issue: z.core.$ZodIssue,
  value: unknown,
  expected: string,
  isSection: boolean,
): string {
  if (issue.code === 'invalid_value') {
    const words = issue.values.map(String);
    if (typeof value !== 'string')
      return words.includes(String(value)) ? `write it in quotes: "${value}"` : '';
    if (issue.values.some(v => String(v) === value && typeof v !== 'string'))
      return 'write it without quotes';
    const habit = Object.hasOwn(VALUE_HABITS, value.toLowerCase())
      ? VALUE_HABITS[value.toLowerCase()]
      : undefined;
    return habit !== undefined && words.includes(habit)
      ? `did you mean "${habit}"?`
      : didYouMean(value, words);
  }
  if (issue.code === 'invalid_type') {
    const isScalar = typeof value !== 'object' && value !== null;
    if (issue.expected === 'string' && isScalar && expected === 'text')
      return `write it in quotes: "${value}"`;
    if (issue.expected === 'array' && value !== null) {
      return isScalar ? `write it as a list: [${JSON.stringify(value)}]` : 'begin each entry with "- "';
    }
    const wantsNumber = issue.expected === 'number' || issue.expected === 'int';
    if (typeof value === 'string' && wantsNumber && value.trim() !== '' && !Number.isNaN(Number(value)))
      return 'write it without quotes';
    if (issue.expected === 'boolean' && typeof value === 'string') {
      if (/^(true|false)$/i.test(value)) return 'write it without quotes';
      if (/^(yes|on)$/i.test(value)) return 'write true';
      if (/^(no|off)$/i.test(value)) return 'write false';
    }
    if (issue.expected === 'record' && value === null)
      return 'indent its entries under it, or remove the key';
    if (issue.expected === 'object' && value === null && isSection)
      return 'indent its keys under it, or write {} for the defaults';
  }
  if (issue.code === 'invalid_format' && issue.format === 'url' && typeof value === 'string')
    return /^[\w.-]+(:\d+)?$/.test(value) ? `write http://${value}` : '';
  return rewritten(value, expected);
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(ms|msecs?|millis|milliseconds?)$/i, 'ms'],
  [/^(s|secs?|seconds?)$/i, 's'],
  [/^(m|mins?|minutes?)$/i, 'm'],
  [/^(h|hrs?|hours?)$/i, 'h'],
  [/^(d|days?)$/i, 'd'],
];
const SIZES: Readonly<Record<string, string>> = { k: 'KiB', m: 'MiB', g: 'GiB' };

/** The same amount in our units. */
function rewritten(value: unknown, expected: string): string {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(String(value)) ?? [];
  if (amount === undefined) return '';
  if (expected.startsWith('a duration such as')) {
    if (unit === '') return `a number needs a unit: ${amount}s or ${amount}ms`;
    const ours = UNITS.find(([pattern]) => pattern.test(unit!))?.[1];
    return ours === undefined ? '' : `write ${amount}${ours}`;
  }
  if (expected.startsWith('a size')) {
    const ours = SIZES[unit!.slice(0, 1).toLowerCase()];
    return ours === undefined ? '' : `write ${amount}${ours}`;
  }
  if (expected.startsWith('a share') && unit === '' && Number(amount) <= 100) return `write ${amount}%`;
  if (expected.startsWith('host:port') && unit === '' && Number(amount) <= 65535)
    return `write ":${amount}" for every address, or "127.0.0.1:${amount}"`;
  return '';
}
