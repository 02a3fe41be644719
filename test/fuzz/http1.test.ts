// The short form of `npm run fuzz`: the same properties, over some thousand messages of another seed each time.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LOOSER, STRICTER } from './compare.ts';
import { fuzz } from './run.ts';

t.test('what we read, Node reads alike; what we refuse beyond that is meant', async t => {
  const seed = Date.now() % 2 ** 31;
  t.comment(`seed ${seed}`);
  const report = await fuzz({ messages: 10_000, seed, limitMs: 30_000 });
  t.comment(report);
  t.ok(report.agreed > report.messages / 10, 'many messages were whole');
  t.ok(report.refused > report.messages / 10, 'many were not');
});

t.test('the table of differences is the list that the fuzzing allows', async t => {
  const readme = readFileSync(join(import.meta.dirname, '../../lib/data/http1/README.md'), 'utf8');
  const table = (heading: string): string[] =>
    (readme.split(heading)[1] ?? '')
      .split('\n\n')[0]!
      .split('\n')
      .slice(2)
      .filter(row => row.startsWith('|'))
      .map(row => row.split('|')[1]!.trim());
  const byMeaning = 'requests behind one of HTTP/1.0, whatever its Connection';
  t.strictSame(
    table('| we refuse, Node takes').sort(),
    [...STRICTER.map(([name]) => name), byMeaning].sort(),
  );
  t.strictSame(table('| we take, Node refuses').sort(), LOOSER.map(([name]) => name).sort());
});
