// The scalar kinds a configuration is made of; each says what it expects in the words a person would write.

import * as z from 'zod';
import { parseDurationMs, parseSizeBytes } from '../core/units.ts';

/** Milliseconds. In YAML: `250ms`, `30s`, `1h30m`, `0`. */
export type Ms = number;
/** Bytes. In YAML: `512`, `64KiB`, `10MB`. */
export type Bytes = number;
/** A part of one, 0..1. In YAML: `50%` or `0.5`. */
export type Share = number;

/** `parse` gives the value, or the words for what was expected of this text instead. */
const converted = <T extends number>(expects: string, parse: (text: string) => T | string | undefined) =>
  z.union([z.string(), z.number()], { error: `expected ${expects}` }).transform((value, context): T => {
    const parsed = parse(String(value).trim());
    if (typeof parsed === 'number') return parsed;
    context.issues.push({ code: 'custom', message: `expected ${parsed ?? expects}`, input: value });
    return z.NEVER;
  });

/** Timers of Node count in 31 bits of milliseconds; anything longer would fire at once. */
const LONGEST_TIMER = '24d';

const bounded = (least: string, most: string) => {
  const [min, max] = [parseDurationMs(least)!, parseDurationMs(most)!];
  return converted<Ms>('a duration such as 250ms, 30s or 1h30m', text => {
    const ms = parseDurationMs(text);
    return ms === undefined || (ms >= min && ms <= max) ? ms : `a duration from ${least} to ${most}`;
  });
};

/** A duration; `fallback` and the bounds are written as in YAML. */
export const duration = (fallback: string, least = '0', most = LONGEST_TIMER) =>
  bounded(least, most).prefault(fallback);

/** A duration that may be left out, which switches the feature off. */
export const optionalDuration = (least = '1ms') => bounded(least, LONGEST_TIMER).optional();

/** A size; `fallback` is written as in YAML. */
export const size = (fallback: string) =>
  converted<Bytes>('a size such as 512, 64KiB or 10MB', parseSizeBytes).prefault(fallback);

const parseShare = (text: string): Share | undefined => {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  return text !== '' && text !== '%' && value >= 0 && value <= 1 ? value : undefined;
};

/** A part of one. */
export const share = (fallback: Share) =>
  converted<Share>('a share such as 50% or 0.5', parseShare).prefault(fallback);

export const count = (fallback: number, min = 1, max = 1_000_000_000) =>
  z.int().min(min).max(max).default(fallback);

/** A file; relative to the folder of the YAML file that names it, absolute once loaded. */
export const file = z.string().min(1);

/** Of several keys exactly one must be given; the problem then says which ones were. */
export const exactlyOne = (...keys: readonly string[]) =>
  [
    (value: object) => keys.filter(key => value[key as keyof typeof value] !== undefined).length === 1,
    { error: `expected exactly one of ${keys.join(', ')}`, params: { oneOf: keys } },
  ] as const;

/** `host:port`, `[v6]:port` or `:port` (every address). */
export const address = z
  .string({ error: 'expected host:port, [ipv6]:port or :port' })
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s/]*):\d{1,5}$/, { error: 'expected host:port, [ipv6]:port or :port' })
  .refine(text => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65535, {
    error: 'expected a port from 0 to 65535',
  });

export const cidr = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
  error: 'expected an IP address or a network such as 10.0.0.0/8',
});

/** A token as RFC 9110, section 5.6.2 has it. */
export const fieldName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'expected a header name' });
/** The same characters name cookies (RFC 6265, section 4.1.1). */
export const sessionName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
  error: 'expected a name of letters, digits, dash or underscore',
});
export const fieldContent = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'expected a header value without control characters' });

export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'expected a name of letters, digits, dot, dash or underscore (63 at most)',
});
