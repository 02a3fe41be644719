// Variables in scalars: what is replaced, what is left alone, what is refused.

import t from 'tap';
import { retype, substitute } from '../../lib/config/substitute.ts';

const env = { A: 'x', EMPTY: '', NESTED: `\${A}` };
const text = (input: string): string => substitute(input, env).text;

t.test('set, default, set to nothing', async t => {
  t.equal(text(`<\${A}>`), '<x>');
  t.equal(text(`\${NONE:-y}`), 'y');
  t.equal(text(`\${EMPTY:-y}`), 'y', ':- replaces nothing as well, as in a shell');
  t.equal(text(`<\${EMPTY}>`), '<>');
  t.equal(text(`\${NONE:-}`), '');
  t.same(substitute(`\${NONE}`, env).unset, ['NONE']);
});

t.test('what is filled in is not filled in again', async t => {
  t.equal(text(`\${NESTED}`), `\${A}`);
});

t.test('dollar signs that are no variables stay', async t => {
  t.equal(text('/new/$1'), '/new/$1');
  t.equal(text('^a$'), '^a$');
  t.equal(text(`$$\{A}`), `\${A}`);
  t.equal(text('a$$b'), 'a$b');
  t.same(substitute(`\${A b} \${`, env).malformed, [`\${A b}`, `\${`]);
});

t.test('plain text becomes what YAML would make of it', async t => {
  for (const [input, value] of [
    ['1', 1],
    ['-2.5', -2.5],
    ['1e3', 1000],
    ['0x10', 16],
    ['true', true],
    ['False', false],
    ['null', null],
    ['~', null],
    ['yes', 'yes'],
    ['10.0.0.1', '10.0.0.1'],
    ['30s', '30s'],
    ['', ''],
  ] as const)
    t.equal(retype(input), value, input);
});
