// Every wrong configuration in wrong/ is refused in exactly the words of its .expected file.
// UPDATE_GOLDEN=1 writes them anew; read the difference before committing it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../lib/config/load.ts';
import { formatProblem, type Problem, summarize } from '../../lib/config/problem.ts';
import { fixedClock } from './fixed-clock.ts';

const FOLDER = join(import.meta.dirname, 'wrong');
const ENV = { MANY: 'many', ONE: '1', LEVEL: 'info' };

const portable = (text: string): string =>
  text.replaceAll(`${FOLDER}/`, '').replaceAll(join(FOLDER, '..'), '/test');

async function problemsOf(name: string): Promise<readonly Problem[]> {
  const loaded = await loadConfig(join(FOLDER, name), ENV, fixedClock);
  return loaded.ok ? loaded.warnings : loaded.problems;
}

const cases = readdirSync(FOLDER)
  .filter(name => !name.endsWith('.expected'))
  .sort();

t.ok(cases.length >= 45, `there are many wrong configurations (${cases.length})`);

for (const name of cases) {
  t.test(`${name} is told in the expected words`, async t => {
    const problems = await problemsOf(name);
    t.ok(problems.length > 0, 'something is wrong with it');
    for (const p of problems) {
      const told = portable(formatProblem(p));
      t.ok(
        p.line >= 1 && p.column >= 1 && told.startsWith(`${portable(p.file)}:${p.line}:${p.column} `),
        `position: ${told}`,
      );
      t.ok(p.path !== '' && told.includes(` ${p.path}: `), `path: ${told}`);
      t.ok(p.expected !== '' || p.hint !== '', `what to write instead: ${told}`);
      t.notMatch(told, /Invalid input|undefined|\[object|NaN|hunter2/, 'no words of machinery');
    }
    const text = `${[...problems.map(formatProblem), summarize(problems)].map(portable).join('\n')}\n`;
    const golden = join(FOLDER, `${name.replace(/\.yaml$/, '')}.expected`);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, text);
    t.equal(text, readFileSync(golden, 'utf8'));
  });
}

t.test('no .expected file is left without its configuration', async t => {
  for (const name of readdirSync(FOLDER).filter(n => n.endsWith('.expected'))) {
    const stem = name.replace(/\.expected$/, '');
    t.ok(cases.includes(stem) || cases.includes(`${stem}.yaml`), name);
  }
});
