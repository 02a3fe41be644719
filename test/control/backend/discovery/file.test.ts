// A watched file: taken when good, kept when bad, seen whichever way it is replaced.

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadBackendFile } from '../../../../lib/control/backend/discovery/backend-list.ts';
import { fileDiscovery } from '../../../../lib/control/backend/discovery/file.ts';
import { eventually } from '../../../support/eventually.ts';
import { Follower } from './collect.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'leaseway-discovery-'));

t.test('a good list is taken and a changed one applied as a difference', async t => {
  const path = join(folder(), 'backends.yaml');
  writeFileSync(path, '- http://127.0.0.1:1\n- { id: two, url: "http://127.0.0.1:2", weight: 3 }\n');
  using follower = new Follower();
  follower.follow(fileDiscovery(path, loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  t.same(follower.changes, ['+ 127.0.0.1:1', '+ two']);
  writeFileSync(path, '["http://127.0.0.1:1", "http://127.0.0.1:3"]');
  await eventually(follower.clock, () => follower.backends.size === 2 && !follower.backends.has('two'));
  t.same(follower.changes.slice(2), ['+ 127.0.0.1:3', '- two'], 'JSON is good as well');
});

t.test('a bad file keeps the last good list and says where and why, once', async t => {
  const path = join(folder(), 'backends.yaml');
  writeFileSync(path, '- http://127.0.0.1:1\n');
  using follower = new Follower();
  follower.follow(fileDiscovery(path, loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  writeFileSync(path, '- http://127.0.0.1:1\n- { url: "http://127.0.0.1:2", weigth: 3 }\n');
  await eventually(follower.clock, () => follower.answers === 2);
  await follower.clock.pass(10_000);
  t.match(follower.log.lines, [
    { level: 'error', message: /backends\.yaml:2:\d+ .*weigth.*keeps its last 1/ },
  ]);
  t.same(follower.ids, ['127.0.0.1:1']);
  rmSync(path);
  await eventually(follower.clock, () => follower.answers === 3);
  t.equal(follower.log.count('error', 'ENOENT'), 1);
  t.same(follower.ids, ['127.0.0.1:1']);
  writeFileSync(path, '[]');
  await eventually(follower.clock, () => follower.answers === 4);
  t.same(follower.ids, [], 'an empty list is an answer, not a mistake');
  t.equal(follower.log.count('info', 'is good again'), 1);
});

t.test('a file that comes later is found', async t => {
  const path = join(folder(), 'later', 'backends.yaml');
  using follower = new Follower();
  follower.follow(fileDiscovery(path, loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  mkdirSync(join(path, '..'));
  writeFileSync(path, '- http://127.0.0.1:1\n');
  await eventually(follower.clock, () => follower.backends.size === 1, 500);
  t.same(follower.ids, ['127.0.0.1:1']);
});

t.test('a file renamed over the old one is seen', async t => {
  const path = join(folder(), 'backends.yaml');
  writeFileSync(path, '- http://127.0.0.1:1\n');
  using follower = new Follower();
  follower.follow(fileDiscovery(path, loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  writeFileSync(`${path}.new`, '- http://127.0.0.1:2\n');
  renameSync(`${path}.new`, path);
  await eventually(follower.clock, () => follower.backends.has('127.0.0.1:2'));
  t.same(follower.ids, ['127.0.0.1:2']);
});

t.test('a symlink that is swapped far away is seen, as mounted config maps do it', async t => {
  const base = folder();
  for (const version of ['v1', 'v2']) mkdirSync(join(base, version));
  writeFileSync(join(base, 'v1', 'backends.yaml'), '- http://127.0.0.1:1\n');
  writeFileSync(join(base, 'v2', 'backends.yaml'), '- http://127.0.0.1:2\n');
  symlinkSync('v1', join(base, '..data'));
  mkdirSync(join(base, 'config'));
  symlinkSync('../..data/backends.yaml', join(base, 'config', 'backends.yaml'));
  using follower = new Follower();
  follower.follow(fileDiscovery(join(base, 'config', 'backends.yaml'), loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  symlinkSync('v2', join(base, '..next'));
  renameSync(join(base, '..next'), join(base, '..data'));
  await eventually(follower.clock, () => follower.backends.has('127.0.0.1:2'), 500);
  t.same(follower.ids, ['127.0.0.1:2']);
});

t.test('lists that cannot be right are refused', async t => {
  const path = join(folder(), 'backends.yaml');
  const cases: readonly (readonly [string, RegExp])[] = [
    ['- http://127.0.0.1:1/path', /:1:3 .*scheme, host and port only/],
    ['- a: [', /:\d+:\d+ .*YAML syntax/],
    ['just text', /:1:1 .*expected a list/],
    ['- { id: a }', /url.*missing|missing.*url/],
    ['- { url: "http://a:1", weight: -1 }', /:1:32 .*weight/],
  ];
  for (const [text, reason] of cases) {
    writeFileSync(path, text);
    await t.rejects(loadBackendFile(path), { code: 'CONFIG_INVALID', detail: reason }, text);
  }
  writeFileSync(path, `# ${'x'.repeat(2 * 1024 * 1024)}\n[]`);
  await t.rejects(loadBackendFile(path), { message: /larger than/ });
});

t.test('nothing is left behind when it ends', async t => {
  const path = join(folder(), 'backends.yaml');
  writeFileSync(path, '[]');
  const follower = new Follower();
  follower.follow(fileDiscovery(path, loadBackendFile, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  follower[Symbol.dispose]();
  await eventually(follower.clock, () => follower.ended);
  t.equal(follower.clock.pending, 0);
});
