// The scalar kinds a configuration is made of; each says what it expects in the words a person would write.

import * as z from 'zod';
import { parseDurationMs, parseSizeBytes } from '../core/units.ts';

/** Milliseconds. In YAML: `250ms`, `30s`, `1h30m`, `0`. */
export type Ms = number;
/** Bytes. In YAML: `512`, `64KiB`, `10MB`. */
export type Bytes = number;
/** A part of one, 0..1. In YAML: `50%` or `0.5`. */
export type Share = number;

const converted = <T>(expects: string, parse: (text: string) => T | undefined) =>
  z.union([z.string(), z.number()], { error: `expected ${expects}` }).transform((value, context): T => {
    const parsed = parse(String(value));
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', message: `expected ${expects}`, input: value });
    return z.NEVER;
  });

/** A duration; `fallback` is written as in YAML. */
export const duration = (fallback: string) =>
  converted<Ms>('a duration such as 250ms, 30s or 1h30m', parseDurationMs).default(
    parseDurationMs(fallback)!,
  );

/** A duration that may be left out, which switches the feature off. */
export const optionalDuration = () =>
  converted<Ms>('a duration such as 250ms, 30s or 1h30m', parseDurationMs).optional();

/** A size; `fallback` is written as in YAML. */
export const size = (fallback: string) =>
  converted<Bytes>('a size such as 512, 64KiB or 10MB', parseSizeBytes).default(parseSizeBytes(fallback)!);

const parseShare = (text: string): Share | undefined => {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  return text.trim() !== '' && value >= 0 && value <= 1 ? value : undefined;
};

/** A part of one. */
export const share = (fallback: Share) =>
  converted<Share>('a share such as 50% or 0.5', parseShare).default(fallback);

export const count = (fallback: number, min = 1, max = 1_000_000_000) =>
  z.int().min(min).max(max).default(fallback);

/** `host:port`, `[v6]:port` or `:port` (every address). */
export const address = z
  .string()
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
export const fieldContent = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'expected a header value without control characters' });

export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'expected a name of letters, digits, dot, dash or underscore (63 at most)',
});
