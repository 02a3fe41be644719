// The small rooms of core: units, fields, chance, hashes, ids, state files.

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  fieldValue,
  fieldValues,
  joinedValue,
  type MutableFields,
  nameIs,
  removeField,
  setField,
} from '../../lib/core/fields.ts';
import { hash32 } from '../../lib/core/hash.ts';
import { IdSource } from '../../lib/core/ids.ts';
import { below, seededRandom } from '../../lib/core/random.ts';
import { readStateFile, writeStateFile } from '../../lib/core/state-file.ts';
import { formatDuration, parseDurationMs, parseSizeBytes } from '../../lib/core/units.ts';

t.test('durations are read as people write them', async t => {
  const table: [string, number | undefined][] = [
    ['250ms', 250],
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['0', 0],
    ['24d', 24 * 86_400_000],
    ['30', undefined],
    ['s', undefined],
    ['-5s', undefined],
    ['5 s', undefined],
    ['5sm', undefined],
    ['', undefined],
  ];
  for (const [text, ms] of table) t.equal(parseDurationMs(text), ms, JSON.stringify(text));
});

t.test('what a duration is written as reads back the same', async () => {
  fc.assert(fc.property(fc.nat(10 * 86_400_000), ms => parseDurationMs(formatDuration(ms)) === ms));
});

t.test('sizes are read as people write them', async t => {
  const table: [string, number | undefined][] = [
    ['512', 512],
    ['64KiB', 65_536],
    ['64 KiB', 65_536],
    ['10MB', 10_000_000],
    ['1.5GiB', 1_610_612_736],
    ['10kb', undefined],
    ['x', undefined],
    ['', undefined],
  ];
  for (const [text, bytes] of table) t.equal(parseSizeBytes(text), bytes, JSON.stringify(text));
});

t.test('fields keep order and repeats; names are compared without case', async t => {
  const fields: MutableFields = ['Set-Cookie', 'a', 'Host', 'h', 'set-cookie', 'b'];
  t.ok(nameIs('HOST', 'host'));
  t.notOk(nameIs('hos', 'host'));
  t.equal(fieldValue(fields, 'set-cookie'), 'a');
  t.same(fieldValues(fields, 'set-cookie'), ['a', 'b']);
  t.equal(joinedValue(fields, 'set-cookie'), 'a, b');
  t.equal(joinedValue(fields, 'via'), undefined);
  removeField(fields, 'set-cookie');
  t.same(fields, ['Host', 'h']);
  setField(fields, 'HOST', 'x');
  t.same(fields, ['HOST', 'x']);
});

t.test('chance replays from its seed and is uniform enough', async t => {
  const [one, two] = [seededRandom(42), seededRandom(42)];
  t.same(
    Array.from({ length: 100 }, () => one.next()),
    Array.from({ length: 100 }, () => two.next()),
  );
  const random = seededRandom(7);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[below(random, 10)]! += 1;
  for (const count of counts) t.ok(Math.abs(count - 10_000) < 500, `${count} of 10,000`);
});

t.test('the hash depends on every character and on the seed, and spreads', async t => {
  t.equal(hash32('leaseway'), hash32('leaseway'));
  t.not(hash32('leaseway'), hash32('leasewaz'));
  t.not(hash32('leaseway'), hash32('leaseway', 1));
  const buckets = new Array<number>(64).fill(0);
  for (let i = 0; i < 64_000; i++) buckets[hash32(`client-${i}`) % 64]! += 1;
  for (const count of buckets) t.ok(Math.abs(count - 1000) < 200, `${count} of 1,000`);
});

t.test('ids have the length asked for and do not repeat', async t => {
  const ids = new IdSource();
  const seen = new Set(Array.from({ length: 10_000 }, () => ids.hex(8)));
  t.equal(seen.size, 10_000);
  for (const id of seen) if (!/^[0-9a-f]{16}$/.test(id)) t.fail(id);
  t.match(ids.hex(16), /^[0-9a-f]{32}$/);
});

t.test('a state file is replaced whole, kept private, and told apart from a damaged one', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-state-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'sub', 'x.json');
  t.equal(readStateFile(path), undefined);
  writeStateFile(path, { a: 1 });
  writeStateFile(path, { a: 2 });
  t.same(readStateFile(path), { a: 2 });
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(readdirSync(join(folder, 'sub')), ['x.json'], 'no temporary file is left');
  writeFileSync(path, '{"a":');
  t.throws(() => readStateFile(path), SyntaxError);
});
