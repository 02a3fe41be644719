// What lies where: the top level is fixed, every folder of lib is on the map, nothing names a machine, the lock file is whole.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';

const ROOT = resolve(import.meta.dirname, '../..');
/** What is committed, and what is about to be. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 16 * 1024 * 1024,
})
  .split('\0')
  .filter(path => path !== '' && existsSync(join(ROOT, path)));

const TOP = [
  ...['bin', 'lib', 'config', 'test'],
  ...['package.json', 'package-lock.json', 'tsconfig.json'],
  ...['README.md', 'CHANGELOG.md', 'LICENSE'],
  ...['.ci', '.biome.json', '.gitignore', '.npmrc', '.taprc'],
];

t.test('the top level is what the design says', async t => {
  const found = new Set(files.map(path => path.split('/')[0]!));
  t.same(
    [...found].filter(name => !TOP.includes(name)),
    [],
  );
  t.same(
    TOP.filter(name => !found.has(name)),
    [],
  );
});

t.test('every folder of lib is on its map, and says what it is for', async t => {
  const map = readFileSync(join(ROOT, 'lib/README.md'), 'utf8');
  const folders = readdirSync(join(ROOT, 'lib'), { withFileTypes: true }).filter(entry =>
    entry.isDirectory(),
  );
  t.ok(folders.length > 8);
  for (const { name } of folders) t.match(map, new RegExp(`^\\| \\[?${name}\\b`, 'm'), name);
  for (const [, target] of map.matchAll(/\]\(([^)#]+)\)/g))
    t.ok(existsSync(join(ROOT, 'lib', target!)), target!);
});

t.test('no file names a path of the machine it was written on', async t => {
  // In pieces, so that this file is not the one that does.
  const forbidden = [
    ['/wo', 'rk/'],
    ['/ro', 'ot/'],
    ['../sha', 'red'],
    ['/tmp/', 'bash'],
  ].map(parts => parts.join(''));
  const wrong: string[] = [];
  for (const path of files) {
    const text = readFileSync(join(ROOT, path), 'latin1');
    for (const part of forbidden)
      if (text.includes(part))
        wrong.push(`${path}: ${part}, line ${text.slice(0, text.indexOf(part)).split('\n').length}`);
  }
  t.same(wrong, []);
});

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

t.test('the lock file has every platform, or npm ci refuses it', async t => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      name =>
        packages[`node_modules/${name}`] === undefined &&
        packages[`${path}/node_modules/${name}`] === undefined,
    ),
  );
  t.same(missing, []);
});

t.test('nobody leaves a note for later, and no test is left out', async t => {
  const notes = new RegExp(['\\b(TO', 'DO|FIX', 'ME|XX', 'X)\\b'].join(''));
  const sources = files.filter(path => /^(bin|lib|test)\/.*\.ts$/.test(path));
  t.ok(sources.length > 100);
  t.same(
    sources.filter(path => notes.test(readFileSync(join(ROOT, path), 'utf8'))),
    [],
  );
  t.same(
    sources.filter(path => /\bt\.(skip|todo|only)\(/.test(readFileSync(join(ROOT, path), 'utf8'))),
    [],
  );
});
