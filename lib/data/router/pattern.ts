// RE2 patterns: linear in the text whatever the pattern, so no route can be made slow by what a client sends.

import { RE2JS } from 're2js';
import { LeasewayError, messageOf } from '../../core/errors.ts';

/** A pattern that must match the whole text. */
export interface Pattern {
  matches(text: string): boolean;
  /** Group 0 is the whole text; a group that took no part is empty. Null when the text does not match. */
  groups(text: string): readonly string[] | null;
  readonly groupCount: number;
}

/** Compiles RE2 syntax; `where` names the place in the configuration for the error (CONFIG_INVALID). */
export function compilePattern(source: string, where: string): Pattern {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    throw new LeasewayError('CONFIG_INVALID', `${where}: ${messageOf(error)}`);
  }
  const groupCount = compiled.groupCount();
  return {
    matches: text => compiled.matches(text),
    groups(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.matches()) return null;
      const found: string[] = [];
      for (let i = 0; i <= groupCount; i++) found.push(matcher.group(i) ?? '');
      return found;
    },
    groupCount,
  };
}
