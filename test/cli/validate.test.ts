// leaseway validate and leaseway init, as a user meets them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { init } from '../../lib/cli/init.ts';
import { validate } from '../../lib/cli/validate.ts';

const collector = () => {
  let text = '';
  return { write: (more: string) => (text += more), text: () => text };
};
async function run(path: string, json = false): Promise<{ code: number; text: string }> {
  const out = collector();
  const code = await validate(path, { json, out, env: {} });
  return { code, text: out.text().replaceAll(`${path}/`, '') };
}

const ROOT = 'listeners: [{ address: "127.0.0.1:8080" }]\nroutes: [{ cluster: web }]\n';

t.test('a valid configuration says what it holds and exits with 0', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT, clusters: { 'web.yaml': 'backends: ["http://a"]' } });
  t.same(await run(folder), { code: 0, text: `${folder} is valid: 1 listener, 1 route, 1 cluster (web)\n` });
});

t.test('a warning is shown and does not refuse', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT, clusters: { 'web.yaml': '{}' } });
  const { code, text } = await run(folder);
  t.equal(code, 0);
  t.match(text, /^clusters\/web\.yaml:1:1 warning: backends: neither backends nor discovery/);
  t.match(text, /is valid: .*; 1 warning in 1 file\n$/);
});

t.test('problems in several files are counted and exit with 1', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `${ROOT}wokers: 2\nlog: { level: all }\n`,
    clusters: { 'web.yaml': 'backends: ["http://a"]\n\n\nbalance:\n    polcy: p2c\n' },
  });
  const { code, text } = await run(folder);
  t.equal(code, 1);
  t.match(text, /clusters\/web\.yaml:5:5 balance\.polcy: unknown key "polcy"; did you mean "policy"\?\n/);
  t.match(text, /\n3 problems in 2 files\n$/);
});

t.test('nothing there exits with 2', async t => {
  const { code, text } = await run(join(t.testdir({}), 'nope'));
  t.equal(code, 2);
  t.match(text, /no such file or folder/);
});

t.test('--json gives the same as data', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT });
  const { code, text } = await run(folder, true);
  t.equal(code, 1);
  t.match(JSON.parse(text), {
    valid: false,
    problems: [{ severity: 'error', file: 'leaseway.yaml', line: 2, column: 21, path: 'routes[0].cluster' }],
  });
});

t.test('init writes a configuration that validates without a warning', async t => {
  const folder = join(t.testdir({}), 'new/config');
  const out = collector();
  t.equal(await init(folder, { force: false, out }), 0);
  t.match(out.text(), /wrote .*leaseway\.yaml\n.*clusters\/web\.yaml\n(.*\n)*next: put your backends/);
  t.equal((await run(folder)).text, `${folder} is valid: 1 listener, 1 route, 1 cluster (web)\n`);
  t.ok(JSON.parse(readFileSync(join(folder, 'cluster.schema.json'), 'utf8')).properties.backends);
});

t.test('init writes over nothing unless it is told to', async t => {
  const folder = t.testdir({ 'leaseway.yaml': 'mine' });
  const out = collector();
  t.equal(await init(folder, { force: false, out }), 1);
  t.match(out.text(), /leaseway\.yaml exists already; --force writes over/);
  t.equal(readFileSync(join(folder, 'leaseway.yaml'), 'utf8'), 'mine');
  t.equal(await init(folder, { force: true, out }), 0);
  t.match(readFileSync(join(folder, 'leaseway.yaml'), 'utf8'), /listeners:/);
});
