// Load reports in every form: what is taken, what is refused, and that nothing throws.

import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import t from 'tap';
import { writeBinary } from '../../../lib/core/orca/binary.ts';
import { orcaNames } from '../../../lib/core/orca/names.ts';
import { parseBinaryReport, parseReport } from '../../../lib/core/orca/parse.ts';
import { LoadReading } from '../../../lib/core/orca/reading.ts';
import { SIGNAL_KINDS, type SignalKind } from '../../../lib/core/signal-kinds.ts';

const names = orcaNames({ 'named_metrics.num_requests_running': 'in_flight' });

/** What a report comes to. */
function read(text: string, parse = parseReport) {
  const into = new LoadReading();
  parse(text, names, into);
  const said = SIGNAL_KINDS.filter((_, index) => into.has(index)).map(kind => [kind, into.get(kind)]);
  return { ...(Object.fromEntries(said) as Partial<Record<SignalKind, number>>), refused: into.refused };
}

const definition = loadSync(join(import.meta.dirname, '../../support/orca.proto'), { keepCase: true });
const { requestStream: _, ...method } = (
  definition['xds.service.orca.v3.OpenRcaService'] as unknown as Record<
    string,
    {
      requestStream: boolean;
      responseSerialize(value: object): Buffer;
      responseDeserialize(bytes: Buffer): object;
    }
  >
).StreamCoreMetrics!;
const encode = (report: object): string => method.responseSerialize(report).toString('base64');

t.test('text is taken with either sign between name and value', async t => {
  t.same(read('TEXT cpu_utilization=0.3,mem_utilization:0.5'), { cpu: 0.3, memory: 0.5, refused: 0 });
  t.same(read('TEXT rps_fractional = 12.5 ,\teps : 1 , application_utilization=1.2,'), {
    application: 1.2,
    requestsPerSecond: 12.5,
    errorsPerSecond: 1,
    refused: 0,
  });
  t.same(read('TEXT named_metrics.num_requests_running=7,named_metrics.kv=0.4,request_cost.x=1'), {
    inFlight: 7,
    refused: 0,
  });
  t.same(read('TEXT cpu_utilization=0'), { cpu: 0, refused: 0 }, 'a zero that was written is meant');
  t.same(read('TEXT cpu_utilization=5e-1'), { cpu: 0.5, refused: 0 });
});

t.test('JSON is taken with the names of the message and with those that protobuf writes', async t => {
  const named = { num_requests_running: 3, other: 9 };
  t.same(read(`JSON ${JSON.stringify({ cpu_utilization: 0.25, named_metrics: named })}`), {
    cpu: 0.25,
    inFlight: 3,
    refused: 0,
  });
  t.same(read(`JSON ${JSON.stringify({ cpuUtilization: 0.25, rpsFractional: 4, namedMetrics: named })}`), {
    cpu: 0.25,
    inFlight: 3,
    requestsPerSecond: 4,
    refused: 0,
  });
});

t.test('binary is taken as protobuf writes it, under its own name and under the other', async t => {
  const bytes = encode({
    cpu_utilization: 0.75,
    mem_utilization: 0.5,
    rps: 123_456_789_012,
    rps_fractional: 99.5,
    eps: 2,
    request_cost: { disk: 3 },
    utilization: { network: 0.2, disk: 0.1 },
    named_metrics: { num_requests_running: 11, ключ: 1 },
    application_utilization: 1.5,
  });
  const whole = {
    cpu: 0.75,
    memory: 0.5,
    network: 0.2,
    disk: 0.1,
    application: 1.5,
    inFlight: 11,
    requestsPerSecond: 99.5,
    errorsPerSecond: 2,
    refused: 0,
  };
  t.same(read(`BIN ${bytes}`), whole);
  t.same(read(bytes, parseBinaryReport), whole);
  t.same(read(bytes.replace(/=+$/, ''), parseBinaryReport), whole, 'gRPC leaves the padding out');
});

t.test('what is written in binary, protobuf reads', async t => {
  const bytes = writeBinary({
    cpu: 0.5,
    memory: 0.25,
    utilization: { disk: 0.1 },
    named: { connections: 12, capacity: 100 },
  });
  const report = method.responseDeserialize(bytes);
  t.match(report, {
    cpu_utilization: 0.5,
    mem_utilization: 0.25,
    utilization: { disk: 0.1 },
    named_metrics: { connections: 12, capacity: 100 },
  });
});

t.test('each bad value is refused by itself', async t => {
  for (const [value, why] of [
    ['NaN', 'not a number'],
    ['inf', 'infinite'],
    ['-0.1', 'negative'],
    ['1e9', 'absurd'],
    ['', 'nothing'],
    ['0x10', 'hexadecimal'],
    ['1e', 'half a number'],
    ['0.3.4', 'two points'],
    ['"0.3"', 'in quotes'],
  ] as const)
    t.same(read(`TEXT cpu_utilization=${value},eps=1`), { errorsPerSecond: 1, refused: 1 }, why);
  t.same(read('TEXT cpu_utilization=0.1,cpu_utilization=0.9'), { cpu: 0.1, refused: 1 }, 'said twice');
  t.same(read('TEXT cpu_utilisation=0.1,eps=1'), { errorsPerSecond: 1, refused: 1 }, 'a misspelt name');
  t.same(read('TEXT nonsense,eps=1'), { errorsPerSecond: 1, refused: 1 }, 'no value');
  t.same(read('TEXT mem_utilization=1.01'), { refused: 1 }, 'more memory than there is');
  t.same(read('JSON {"cpu_utilization":"0.3","eps":1,"mem_utilization":null}'), {
    errorsPerSecond: 1,
    refused: 2,
  });
  t.same(read(`BIN ${encode({ cpu_utilization: Number.NaN, eps: -1, mem_utilization: 0.5 })}`), {
    memory: 0.5,
    refused: 2,
  });
});

t.test('what is no report at all is refused once', async t => {
  for (const text of [
    '',
    'TEXT',
    'text cpu_utilization=1',
    'JSON {',
    'JSON []',
    'JSON null',
    'JSON 3',
    'BIN %%',
    'XML <a/>',
  ])
    t.same(read(text), { refused: 1 }, text);
  t.same(read('TEXT '), { refused: 0 }, 'an empty report says nothing');
  t.same(read(`TEXT ${'a'.repeat(9_000)}`), { refused: 1 }, 'too long');
  const whole = method.responseSerialize({ cpu_utilization: 0.5, eps: 3 });
  t.same(read(`BIN ${whole.subarray(0, 12).toString('base64')}`), { cpu: 0.5, refused: 1 }, 'broken off');
});

t.test('nothing that a backend sends throws, or is believed beyond its bounds', async t => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map(rest => `TEXT ${rest}`),
    fc.string().map(rest => `JSON ${rest}`),
    fc.json().map(rest => `JSON ${rest}`),
    fc.uint8Array({ maxLength: 200 }).map(bytes => `BIN ${Buffer.from(bytes).toString('base64')}`),
    fc
      .array(fc.tuple(fc.constantFrom(...names.keys()), fc.oneof(fc.double(), fc.string())))
      .map(entries => `TEXT ${entries.map(([name, value]) => `${name}=${value}`).join(',')}`),
  );
  fc.assert(
    fc.property(text, value => {
      const into = new LoadReading();
      parseReport(value, names, into);
      parseBinaryReport(value, names, into);
      for (const kind of SIGNAL_KINDS) if (into.get(kind) < 0 || into.get(kind) > 1e7) return false;
      return true;
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

t.test('one reading serves report after report', async t => {
  const into = new LoadReading();
  parseReport('TEXT cpu_utilization=0.5,eps=oops', names, into);
  into.clear();
  parseReport('TEXT eps=1', names, into);
  t.same([into.get('cpu'), into.get('errorsPerSecond'), into.refused], [Number.NaN, 1, 0]);
});
