// An ORCA load report as it comes with an answer, in a header or a trailer: text, JSON or protobuf in base64.
//
//   endpoint-load-metrics: TEXT cpu_utilization=0.3, named_metrics.running:12
//   endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"running": 12}}
//   endpoint-load-metrics: BIN  base64          endpoint-load-metrics-bin: base64
//
// Envoy splits text at ":", vLLM, Triton and Envoy's gateway write "=": both are taken. Nothing here throws, and one bad value
// does not cost the others; it runs for every answer that carries a report.

import { readBinary } from './binary.ts';
import { isOrcaName, type OrcaNames } from './names.ts';
import type { LoadReading } from './reading.ts';

export const REPORT_FIELD = 'endpoint-load-metrics';
export const BINARY_REPORT_FIELD = 'endpoint-load-metrics-bin';
/** Of requests: which form is wanted; some servers report only to who asks. */
export const REPORT_FORMAT_FIELD = 'endpoint-load-metrics-format';

/** Longer ones are refused unread: a report is a few hundred bytes. */
const MOST_CHARS = 8_192;

const COMMA = 0x2c;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;
const COLON = 0x3a;

/** Adds what `value`, of the field REPORT_FIELD, says. */
export function parseReport(value: string, names: OrcaNames, into: LoadReading): void {
  if (value.length > MOST_CHARS) into.refused += 1;
  else if (value.startsWith('TEXT ')) parseText(value, 5, names, into);
  else if (value.startsWith('JSON ')) parseJson(value.slice(5), names, into);
  else if (value.startsWith('BIN ')) parseBase64(value.slice(4), names, into);
  else into.refused += 1;
}

/** Adds what `value`, of the field BINARY_REPORT_FIELD, says. */
export function parseBinaryReport(value: string, names: OrcaNames, into: LoadReading): void {
  if (value.length > MOST_CHARS) into.refused += 1;
  else parseBase64(value, names, into);
}

function parseText(text: string, from: number, names: OrcaNames, into: LoadReading): void {
  const { length } = text;
  let start = from;
  while (start < length) {
    let separator = -1;
    let end = start;
    for (; end < length; end++) {
      const code = text.charCodeAt(end);
      if (code === COMMA) break;
      if (separator < 0 && (code === EQUALS || code === COLON)) separator = end;
    }
    if (separator >= 0) entry(text, start, separator, end, names, into);
    else if (!isBlank(text, start, end)) into.refused += 1;
    start = end + 1;
  }
}

function entry(
  text: string,
  start: number,
  separator: number,
  end: number,
  names: OrcaNames,
  into: LoadReading,
): void {
  let nameStart = start;
  while (isSpace(text.charCodeAt(nameStart))) nameStart += 1;
  let nameEnd = separator;
  while (nameEnd > nameStart && isSpace(text.charCodeAt(nameEnd - 1))) nameEnd -= 1;
  const name = text.slice(nameStart, nameEnd);
  const index = names.get(name);
  if (index === undefined) {
    if (!isOrcaName(name)) into.refused += 1;
  } else if (index >= 0) into.take(index, decimal(text.slice(separator + 1, end)));
}

const isSpace = (code: number): boolean => code === SPACE || code === TAB;

function isBlank(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isSpace(text.charCodeAt(i))) return false;
  return true;
}

/** NaN unless it is a decimal number: `Number` alone takes nothing for zero, and hexadecimal. */
function decimal(text: string): number {
  const trimmed = text.trim();
  const first = trimmed.charCodeAt(0);
  // A digit, a point, or a sign; then no letter but the exponent's.
  const begins = (first >= 0x30 && first <= 0x39) || first === 0x2e || first === 0x2b || first === 0x2d;
  return begins && !/[^0-9.eE+-]/.test(trimmed) ? Number(trimmed) : Number.NaN;
}

function parseJson(text: string, names: OrcaNames, into: LoadReading): void {
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    // A server that writes garbage is no reason to fail its answer.
  }
  if (typeof report !== 'object' || report === null || Array.isArray(report)) {
    into.refused += 1;
    return;
  }
  for (const [name, value] of Object.entries(report)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value as object))
        member(`${name}.${key}`, inner, names, into);
    } else member(name, value, names, into);
  }
}

function member(name: string, value: unknown, names: OrcaNames, into: LoadReading): void {
  const index = names.get(name);
  if (index === undefined) {
    if (!isOrcaName(name)) into.refused += 1;
  } else if (index >= 0) into.take(index, typeof value === 'number' ? value : Number.NaN);
}

function parseBase64(text: string, names: OrcaNames, into: LoadReading): void {
  const trimmed = text.trim();
  // Buffer.from passes over what is no base64; a report with holes in it is none.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(trimmed)) into.refused += 1;
  else readBinary(Buffer.from(trimmed, 'base64'), names, into);
}
