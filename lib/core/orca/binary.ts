// xds.data.orca.v3.OrcaLoadReport on the wire: doubles, and maps of text to double. Coded by hand, as nothing else is needed.
//
//   1 cpu_utilization   2 mem_utilization   3 rps (varint, old)   4 request_cost   5 utilization (maps)
//   6 rps_fractional    7 eps               8 named_metrics (map) 9 application_utilization
//
// proto3 leaves out what is zero, so a report cannot say "none" in this form: absent says nothing.

import { BYTES, bytesField, FIXED64, Wire } from '../protobuf.ts';
import type { OrcaNames } from './names.ts';
import type { LoadReading } from './reading.ts';

const DOUBLES: readonly (string | undefined)[] = [
  undefined,
  'cpu_utilization',
  'mem_utilization',
  undefined,
  undefined,
  undefined,
  'rps_fractional',
  'eps',
  undefined,
  'application_utilization',
];
const MAPS: Readonly<Record<number, string>> = { 5: 'utilization.', 8: 'named_metrics.' };

/** Reads `bytes` into `into`; a message that breaks off or is none counts as one refused value, what came before stands. */
export function readBinary(bytes: Buffer, names: OrcaNames, into: LoadReading): void {
  const wire = new Wire(bytes, 0, bytes.length);
  while (wire.next()) {
    if (wire.kind === FIXED64) {
      const index = names.get(DOUBLES[wire.field] ?? '');
      if (index !== undefined && index >= 0) into.take(index, wire.double);
    } else if (wire.kind === BYTES && MAPS[wire.field] !== undefined)
      readEntry(bytes, wire, MAPS[wire.field]!, names, into);
  }
  if (wire.broken) into.refused += 1;
}

/** A map's entry is a message of its own: key = 1, value = 2. */
function readEntry(bytes: Buffer, at: Wire, map: string, names: OrcaNames, into: LoadReading): void {
  const entry = new Wire(bytes, at.start, at.end);
  let key = '';
  let value = 0;
  while (entry.next()) {
    if (entry.field === 1 && entry.kind === BYTES) key = bytes.toString('utf8', entry.start, entry.end);
    else if (entry.field === 2 && entry.kind === FIXED64) value = entry.double;
  }
  if (entry.broken) {
    into.refused += 1;
    return;
  }
  const index = names.get(map + key);
  if (index !== undefined && index >= 0) into.take(index, value);
}

/** A whole report; zero is left out. For who serves reports. */
export function writeBinary(report: {
  readonly cpu: number;
  readonly memory: number;
  readonly utilization: Readonly<Record<string, number>>;
  readonly named: Readonly<Record<string, number>>;
}): Buffer {
  const parts: Buffer[] = [];
  const double = (field: number, value: number): Buffer => {
    const bytes = Buffer.alloc(9);
    bytes[0] = (field << 3) | FIXED64;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  };
  const entries = (field: number, map: Readonly<Record<string, number>>): void => {
    for (const [key, value] of Object.entries(map)) {
      const name = Buffer.from(key, 'utf8').subarray(0, 100);
      parts.push(bytesField(field, Buffer.concat([bytesField(1, name), double(2, value)])));
    }
  };
  if (report.cpu !== 0) parts.push(double(1, report.cpu));
  if (report.memory !== 0) parts.push(double(2, report.memory));
  entries(5, report.utilization);
  entries(8, report.named);
  return Buffer.concat(parts);
}
