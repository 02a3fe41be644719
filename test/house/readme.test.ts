// What the README says is so: its YAML loads, and its tables are those of the code, both ways.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { clusterSchema, rootSchema } from '../../lib/config/json-schema.ts';
import { loadConfig } from '../../lib/config/load.ts';
import { formatProblem } from '../../lib/config/problem.ts';
import { ERRORS, type ErrorCode } from '../../lib/core/errors.ts';
import { EXIT_SAYS } from '../../lib/core/exit-codes.ts';
import { AccessLineFormat } from '../../lib/telemetry/access-line.ts';
import { fixedClock } from '../config/fixed-clock.ts';
import { blocksOf, namesIn, README, ROOT, tableOf } from '../support/readme.ts';
import { requestRecord } from '../support/records.ts';

const PEM = join(ROOT, 'test/config/pem');
const blocks = blocksOf(README);

t.test('every error code is explained, with its status, and no other', async t => {
  const rows = tableOf(README, 'code');
  t.same(rows.map(([code]) => code).sort(), Object.keys(ERRORS).sort());
  for (const [code, status, meaning, when] of rows) {
    t.equal(Number(status), ERRORS[code as ErrorCode].status, code!);
    t.ok(meaning !== '' && when !== '', `${code} has its meaning and its when`);
  }
});

t.test('every exit code is explained as --help does', async t => {
  const expected = Object.entries(EXIT_SAYS).map(([code, says]) => [code, says]);
  t.same(tableOf(README, 'exit code'), expected);
});

t.test('every command is in the table, and no other', async t => {
  const files = readdirSync(join(ROOT, 'lib/cli/commands')).map(name => name.replace('.ts', ''));
  const rows = tableOf(README, 'command');
  t.same(rows.map(([name]) => name).sort(), files.sort());
  for (const [name, , options] of rows) {
    const source = readFileSync(join(ROOT, `lib/cli/commands/${name}.ts`), 'utf8');
    const shared = readFileSync(join(ROOT, 'lib/cli/admin-options.ts'), 'utf8');
    for (const option of namesIn(`\`${options}\``.replace(/^``$/, '')).flatMap(text => text.split(/[`, ]+/)))
      t.ok(
        option === '' || source.includes(`'${option}`) || shared.includes(`'${option}`),
        `${name} ${option}`,
      );
  }
});

t.test('every field of the access log is explained, and no other', async t => {
  const line = JSON.parse(new AccessLineFormat('names').line(requestRecord()));
  const rows = tableOf(README, 'field').map(([names]) => (names!.includes('`') ? namesIn(names!) : [names!]));
  t.same(rows.flat().sort(), Object.keys(line).sort());
  const example = blocks.find(({ language }) => language === 'json')!.lines.join('');
  t.same(
    Object.keys(JSON.parse(example)),
    Object.keys(line),
    'the example has the fields of a line, in its order',
  );
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
}

for (const [title, schema] of [
  ['key of leaseway.yaml', rootSchema()],
  ['key of a cluster', clusterSchema()],
] as const)
  t.test(`the defaults of the table "${title}" are those of the schema`, async t => {
    const rows = tableOf(README, title);
    t.ok(rows.length > 10, 'the table was found');
    for (const [key, shown] of rows) {
      const found = key!.split('.').reduce<Schema | undefined>((at, part) => {
        const inner = at?.properties?.[part.replace('[]', '')];
        return part.endsWith('[]') ? inner?.items : inner;
      }, schema as Schema);
      t.equal(String(found?.default), shown, key!);
    }
  });

// A block says in its first line what it is: a whole file, or a part that is laid over the least configuration.
interface File {
  readonly name: string;
  readonly part: boolean;
  readonly text: string;
}

const files = blocks
  .filter(({ language }) => language === 'yaml')
  .map(({ heading, lines }): File & { readonly heading: string } => {
    const [, part, name] = /^# (part of )?([\w/.-]+\.yaml)$/.exec(lines[0]!) ?? [];
    if (name === undefined) throw new Error(`under ${heading}: the first line does not name the file`);
    return { heading, name, part: part !== undefined, text: lines.join('\n') };
  });
const least = files.filter(({ heading }) => heading === 'Configuration');

async function check(t: Test, shown: readonly File[]): Promise<void> {
  const folder = t.testdir();
  // Folders that an installed leaseway has.
  const here = (text: string): string =>
    text.replaceAll('/etc/leaseway/tls/', `${PEM}/`).replaceAll('/var/log/leaseway/', `${folder}/`);
  for (const { name, text } of shown) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, here(text));
  }
  const loaded = await loadConfig(folder, {}, fixedClock);
  t.same((loaded.ok ? loaded.warnings : loaded.problems).map(formatProblem), []);
  t.ok(loaded.ok);
}

t.test('the least configuration is the one promised to keep running', async t => {
  t.same(
    least.map(({ name }) => name),
    ['leaseway.yaml', 'clusters/web.yaml'],
  );
  await check(t, least);
});

for (const heading of new Set(files.filter(({ part }) => !part).map(file => file.heading)))
  t.test(`the files under "${heading}" are valid together`, async t => {
    await check(
      t,
      files.filter(file => file.heading === heading && !file.part),
    );
  });

for (const { heading, name, text } of files.filter(({ part }) => part))
  t.test(`the part under "${heading}" is valid`, async t => {
    const merged = least.map(file =>
      file.name === name ? { ...file, text: stringify({ ...parse(file.text), ...parse(text) }) } : file,
    );
    t.ok(
      least.some(file => file.name === name),
      'it is part of a file there is',
    );
    await check(t, merged);
  });

t.test('links lead somewhere', async t => {
  const anchors = [...README.matchAll(/^#+ (.*)$/gm)].map(
    ([, title]) =>
      `#${title!
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-')}`,
  );
  const targets = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
  t.ok(targets.length > 5, 'links were found');
  for (const target of targets)
    t.ok(target.startsWith('#') ? anchors.includes(target) : existsSync(join(ROOT, target)), target);
});
