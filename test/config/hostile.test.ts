// No text, however odd, makes the loader throw or hang: it answers with problems that stand somewhere.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { loadConfig } from '../../lib/config/load.ts';
import { Root } from '../../lib/config/proxy.ts';
import { allKeys } from '../../lib/config/schema-walk.ts';
import { fixedClock } from './fixed-clock.ts';

const WORDS = [
  ...new Set(
    allKeys(Root).map(
      path =>
        path
          .split(/[.[\]*]+/)
          .filter(Boolean)
          .at(-1)!,
    ),
  ),
  '__proto__',
  'constructor',
  '<<',
];

const scalar = fc.oneof(
  fc.constantFrom(
    'web',
    '127.0.0.1:8080',
    'http://127.0.0.1:9001',
    '/a',
    '30s',
    '50%',
    `\${X}`,
    '${',
    '$$',
    '(',
    '',
    'auto',
  ),
  fc.string({ maxLength: 12 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...WORDS), tie('tree'), { maxKeys: 5 }),
  ),
}));
const shaped = fc.record(
  {
    listeners: fc.array(tree, { maxLength: 2 }),
    routes: fc.array(fc.oneof(tree, fc.dictionary(fc.constantFrom(...WORDS), tree, { maxKeys: 4 })), {
      maxLength: 3,
    }),
    clusters: fc.dictionary(fc.constantFrom('web', 'a b', '__proto__', 'x'), tree, { maxKeys: 3 }),
    admin: tree,
  },
  { requiredKeys: [] },
);
const pieces = fc.array(
  fc.constantFrom(
    'a',
    ': ',
    ':',
    '- ',
    '\n',
    '\n  ',
    '\t',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '&a ',
    '*a',
    '!x ',
    '|',
    '>',
    '#',
    '? ',
    '---\n',
    '%YAML 1.1\n',
    `\${A}`,
    '\u0000',
    '\ufeff',
    'routes',
    'listeners',
    '\r',
  ),
  { maxLength: 60 },
);

async function answers(t: Test, folder: string, texts: readonly [string, string]): Promise<void> {
  writeFileSync(join(folder, 'leaseway.yaml'), texts[0]);
  writeFileSync(join(folder, 'clusters/web.yaml'), texts[1]);
  const loaded = await loadConfig(folder, { A: 'b' }, fixedClock);
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  if (!loaded.ok && problems.length === 0) throw new Error('refused without a reason');
  for (const p of problems)
    if (
      !(
        p.line >= 1 &&
        p.column >= 1 &&
        p.path !== '' &&
        p.message !== '' &&
        (p.expected !== '' || p.hint !== '')
      )
    )
      throw new Error(`incomplete: ${JSON.stringify(p)}`);
  t.equal(Object.hasOwn(Object.prototype, 'web'), false);
}

t.test('any tree of known words', async t => {
  const folder = t.testdir({ clusters: {} });
  await fc.assert(
    fc.asyncProperty(fc.oneof(shaped, tree), tree, (root, cluster) =>
      answers(t, folder, [stringify(root, { aliasDuplicateObjects: false }), stringify(cluster)]),
    ),
    { numRuns: 200 },
  );
});

t.test('any heap of YAML’s own signs', async t => {
  const folder = t.testdir({ clusters: {} });
  await fc.assert(
    fc.asyncProperty(pieces, pieces, (root, cluster) =>
      answers(t, folder, [root.join(''), cluster.join('')]),
    ),
    { numRuns: 200 },
  );
});

t.test('depth and repetition are bounded', async t => {
  const folder = t.testdir({ clusters: {} });
  const deep = [
    '['.repeat(200_000),
    '{a: '.repeat(100_000),
    '- '.repeat(100_000),
    `${'? '.repeat(100_000)}a`,
    Array.from({ length: 900 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    `a: &a [${'x,'.repeat(50)}]\nb: [${'*a,'.repeat(50_000)}]`,
    `a: &a [*a]`,
    `a: &a\n  b: *a\n`,
    '"'.repeat(100_000),
    '${'.repeat(100_000),
    `a: "${`\${a:-`.repeat(50_000)}"`,
  ];
  for (const text of deep) await answers(t, folder, [text, text]);
});
