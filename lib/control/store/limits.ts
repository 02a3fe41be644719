// What no store takes: refused before any adapter sees it, so that all adapters refuse the same.

import { LeasewayError } from '../../core/errors.ts';
import { type Check, MAX_KEY_LENGTH, MAX_OPERATIONS, MAX_VALUE_BYTES, type Write } from './store.ts';

export interface Draft {
  readonly checks: readonly Check[];
  /** `text` is the JSON; null deletes. */
  readonly writes: readonly { readonly key: string; readonly text: string | null }[];
}

// One byte a character, no control characters: every store then sorts keys alike.
const KEY = /^[!-~]+$/;

/** Throws CONFLICT. The values are turned to JSON here, so that what a caller changes later changes nothing. */
export function draftOf(checks: readonly Check[], writes: readonly Write[]): Draft {
  const operations = checks.length + writes.length;
  if (operations > MAX_OPERATIONS)
    throw new LeasewayError('CONFLICT', `a commit of ${operations} operations: at most ${MAX_OPERATIONS}`);
  requireDistinct(checks);
  requireDistinct(writes);
  return { checks: [...checks], writes: writes.map(({ key, value }) => ({ key, text: textOf(key, value) })) };
}

function requireDistinct(entries: readonly { readonly key: string }[]): void {
  const keys = new Set<string>();
  for (const { key } of entries) {
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key))
      throw new LeasewayError(
        'CONFLICT',
        `key ${JSON.stringify(key.slice(0, 64))}: 1 to ${MAX_KEY_LENGTH} visible ASCII characters are taken`,
      );
    if (keys.has(key)) throw new LeasewayError('CONFLICT', `key ${key} stands twice in one commit`);
    keys.add(key);
  }
}

function textOf(key: string, value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  if (text === undefined) throw new LeasewayError('CONFLICT', `the value of ${key} is not JSON`);
  if (Buffer.byteLength(text) > MAX_VALUE_BYTES)
    throw new LeasewayError('CONFLICT', `the value of ${key} is larger than ${MAX_VALUE_BYTES} bytes`);
  return text;
}
