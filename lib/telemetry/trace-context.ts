// W3C Trace Context, level 2: what is read from a request and what is written to the next hop.

import { type Fields, nameIs } from '../core/fields.ts';

export const FLAG_SAMPLED = 0x01;
/** Level 2: the right-most seven bytes of the trace id are random, so that everyone may sample by them. */
export const FLAG_RANDOM = 0x02;
const KNOWN_FLAGS = FLAG_SAMPLED | FLAG_RANDOM;

export interface ReceivedContext {
  readonly traceId: string;
  readonly parentId: string;
  readonly flags: number;
  /** In one line, bounded; empty when absent or malformed. */
  readonly traceState: string;
}

const VERSION_00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Of a version to come: the known part, then nothing or `-` and whatever. */
const LATER_VERSION = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const MAX_TRACEPARENT_LENGTH = 512;
const ZERO_TRACE = '0'.repeat(32);
const ZERO_SPAN = '0'.repeat(16);

/** One list member: key, `=`, value (section 3.3.1). */
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MAX_MEMBERS = 32;
const MAX_TRACESTATE_LENGTH = 512;
/** Longer members are the first to go when the whole is too long (section 3.3.3). */
const LONG_MEMBER_LENGTH = 128;

/** The caller's context; undefined when there is none, or none that is well-formed: then a new trace begins. */
export function receiveContext(fields: Fields): ReceivedContext | undefined {
  let traceparent = '';
  let traceState = '';
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    if (name.length === 11 && nameIs(name, 'traceparent')) {
      // Two parents are none: there is no telling which hop is right.
      if (traceparent !== '') return undefined;
      traceparent = fields[i + 1]!;
    } else if (name.length === 10 && nameIs(name, 'tracestate'))
      traceState = traceState === '' ? fields[i + 1]! : `${traceState},${fields[i + 1]!}`;
  }
  if (traceparent === '' || traceparent.length > MAX_TRACEPARENT_LENGTH) return undefined;
  const match = traceparent.startsWith('00') ? VERSION_00.exec(traceparent) : LATER_VERSION.exec(traceparent);
  if (match === null || match[1] === ZERO_TRACE || match[2] === ZERO_SPAN) return undefined;
  return {
    traceId: match[1]!,
    parentId: match[2]!,
    flags: Number.parseInt(match[3]!, 16) & KNOWN_FLAGS,
    traceState: traceState === '' ? '' : boundTraceState(traceState),
  };
}

/** `traceparent` of version 00. */
export function formatTraceparent(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-0${flags & KNOWN_FLAGS}`;
}

/** The list as it goes on: at most 32 members and 512 characters. Empty when any member is malformed, as the specification asks. */
export function boundTraceState(received: string): string {
  // Far beyond what any vendor writes; not worth splitting.
  if (received.length > 16 * MAX_TRACESTATE_LENGTH) return '';
  let members: string[] = [];
  const keys = new Set<string>();
  for (const part of received.split(',')) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    const key = member.slice(0, member.indexOf('='));
    if (!MEMBER.test(member) || keys.has(key)) return '';
    keys.add(key);
    members.push(member);
  }
  if (members.length > MAX_MEMBERS) return '';
  if (lengthOf(members) > MAX_TRACESTATE_LENGTH)
    members = members.filter(member => member.length <= LONG_MEMBER_LENGTH);
  while (lengthOf(members) > MAX_TRACESTATE_LENGTH) members.pop();
  return members.join(',');
}

const lengthOf = (members: readonly string[]): number =>
  members.reduce((sum, member) => sum + member.length + 1, -1);
