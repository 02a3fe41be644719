// Loading: what comes out of right files, whole folders and hostile ones.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Loaded, loadConfig } from '../../lib/config/load.ts';
import { formatProblem } from '../../lib/config/problem.ts';
import type { ProxyConfig } from '../../lib/config/proxy.ts';
import { fixedClock } from './fixed-clock.ts';

const ROOT = 'listeners: [{ address: "127.0.0.1:8080" }]\nroutes: [{ cluster: web }]\n';
const WEB = 'backends: ["http://127.0.0.1:9001", "http://127.0.0.1:9002"]\n';

const problemsOf = (loaded: Loaded): string[] =>
  (loaded.ok ? loaded.warnings : loaded.problems).map(formatProblem);
function configOf(t: Test, loaded: Loaded): ProxyConfig {
  if (!loaded.ok) t.fail(problemsOf(loaded).join('\n'));
  return (loaded as Extract<Loaded, { ok: true }>).config;
}

t.test('the least that runs: three lines and a cluster file of one', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `${ROOT}admin: { address: "127.0.0.1:9900" }\n`,
    clusters: { 'web.yaml': WEB, '.web.yaml.swp': 'x', 'web.yaml~': 'x', 'notes.txt': 'x' },
  });
  const loaded = await loadConfig(folder, {});
  const config = configOf(t, loaded);
  t.same(Object.keys(config.clusters), ['web']);
  t.equal(config.clusters.web!.timeouts.connect, 2000, 'defaults are filled in');
  t.equal(config.limits.header_bytes, 16384);
  t.same(problemsOf(loaded), []);
  t.same(loaded.files, [join(folder, 'leaseway.yaml'), join(folder, 'clusters/web.yaml')]);
});

t.test('one file may hold all', async t => {
  const folder = t.testdir({ 'all.yaml': `${ROOT}clusters: { web: { ${WEB.trim()} } }\n` });
  t.equal(configOf(t, await loadConfig(join(folder, 'all.yaml'), {})).clusters.web!.backends.length, 2);
});

t.test('a single file beside cluster files says that they are not read', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT, clusters: { 'web.yaml': WEB } });
  const loaded = await loadConfig(join(folder, 'leaseway.yaml'), {});
  t.match(problemsOf(loaded)[0], /no cluster "web".*clusters\/web\.yaml is read when the folder is given/);
});

t.test('the result cannot be changed', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT, clusters: { 'web.yaml': WEB } });
  const config = configOf(t, await loadConfig(folder, {}));
  const walk = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(walk));
  t.ok(walk(config));
});

t.test('variables are filled in and typed as if written there', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `listeners:\n  - address: \${HOST:-127.0.0.1}:\${PORT}\n    max_connections: \${MAX}\nroutes:\n  - cluster: web\n    websocket: \${WS}\n    rewrite: { regex: "/a(.*)", to: "/b$1" }\nvia: "\${DIGITS}"\nleases: { keys: ["$\${not-a-variable} but thirty-two characters"] }\n`,
    clusters: { 'web.yaml': `backends:\n  - \${BACKEND}\ntimeouts:\n  connect: \${EMPTY:-3s}\n` },
  });
  const env = { PORT: '8081', MAX: '17', WS: 'false', DIGITS: '42', BACKEND: 'http://b:1', EMPTY: '' };
  const config = configOf(t, await loadConfig(folder, env));
  t.equal(config.listeners[0]!.address, '127.0.0.1:8081');
  t.equal(config.listeners[0]!.max_connections, 17);
  t.equal(config.routes[0]!.websocket, false);
  t.equal(config.routes[0]!.rewrite!.to, '/b$1', 'a dollar sign alone stands for itself');
  t.equal(config.via, '42', 'what was quoted stays text');
  t.match(config.leases.keys[0], /^\$\{not-a-variable\}/);
  t.equal(config.clusters.web!.timeouts.connect, 3000);
});

t.test('a variable cannot bring YAML of its own', async t => {
  const folder = t.testdir({ 'leaseway.yaml': `${ROOT}via: \${X}\n`, clusters: { 'web.yaml': WEB } });
  const loaded = await loadConfig(folder, { X: 'a\nworkers: 7' });
  t.notOk(loaded.ok, 'it stays one text, and that is no name');
  t.match(problemsOf(loaded), [/via: expected a name/]);
});

t.test('a variable that the environment inherits from Object is not set', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `${ROOT}via: \${constructor}\n`,
    clusters: { 'web.yaml': WEB },
  });
  t.match(problemsOf(await loadConfig(folder, {})), [/environment variable constructor is not set/]);
});

t.test('files are relative to the file that names them, absolute in the result, and watched', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `${ROOT}state: { dir: state }\nlog: { access: stdout }\nadmin: { token_file: secret/token }\n`,
    secret: { token: 'a-token' },
    clusters: { 'web.yaml': 'backends: ["https://b"]\ntls: { ca: ../ca.crt }\n' },
    'ca.crt': t.fixture('symlink', join(import.meta.dirname, 'pem/ca.crt')),
  });
  chmodSync(join(folder, 'secret/token'), 0o600);
  const loaded = await loadConfig(folder, {}, fixedClock);
  const config = configOf(t, loaded);
  t.equal(config.clusters.web!.tls.ca, join(folder, 'ca.crt'));
  t.equal(config.state.dir, join(folder, 'state'));
  t.equal(config.log.access, 'stdout');
  t.ok(loaded.files.includes(join(folder, 'ca.crt')) && loaded.files.includes(join(folder, 'secret/token')));
  t.same(problemsOf(loaded), []);
  chmodSync(join(folder, 'secret/token'), 0o644);
  t.match(problemsOf(await loadConfig(folder, {}, fixedClock)), [
    /warning: admin.token_file: .* can be read by others \(mode 644\); expected mode 600/,
  ]);
});

t.test('a certificate that has ended is a warning, not a refusal', async t => {
  const pem = join(import.meta.dirname, 'pem');
  const folder = t.testdir({
    'leaseway.yaml': `listeners: [{ address: ":0", tls: { certificates: [{ cert: ${pem}/example.crt, key: ${pem}/example.key }] } }]\nroutes: [{ cluster: web }]\n`,
    clusters: { 'web.yaml': WEB },
  });
  t.same(problemsOf(await loadConfig(folder, {}, fixedClock)), []);
  const later = { ...fixedClock, wallMs: () => Date.UTC(2200, 0, 1) };
  const loaded = await loadConfig(folder, {}, later);
  t.ok(loaded.ok);
  t.match(problemsOf(loaded), [/the certificate ended on 2126-/]);
});

t.test('nothing there is told apart from something wrong', async t => {
  const folder = t.testdir({ config: { 'leaseway.yaml': ROOT } });
  const nothing = await loadConfig(join(folder, 'nope'), {});
  t.match(nothing, { ok: false, missing: true });
  const above = await loadConfig(folder, {});
  t.match(above, { ok: false, missing: true });
  t.match(problemsOf(above), [/did you mean .*\/config\?/]);
});

t.test('files that are no text, too large or unreadable are told as such', async t => {
  const folder = t.testdir({ 'leaseway.yaml': ROOT });
  mkdirSync(join(folder, 'clusters/folder.yaml'), { recursive: true });
  writeFileSync(join(folder, 'clusters/web.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
  writeFileSync(join(folder, 'clusters/large.yaml'), `# ${'x'.repeat(1024 * 1024)}\n`);
  const told = problemsOf(await loadConfig(folder, {})).join('\n');
  t.match(told, /clusters\/web\.yaml:1:1 \(file\): is not UTF-8 text/);
  t.match(told, /clusters\/large\.yaml:1:1 \(file\): is larger than 1048576 bytes/);
  t.match(told, /clusters\/folder\.yaml:1:1 \(file\): is a folder/);
});

t.test('a problem inside an alias is shown where it is written', async t => {
  const folder = t.testdir({
    'leaseway.yaml': `${ROOT}clusters:\n  web: &base\n    backends: ["http://a"]\n    retry: { attempts: 99 }\n  more: *base\n`,
  });
  const told = problemsOf(await loadConfig(folder, {}));
  t.match(told[0], /leaseway\.yaml:6:24 clusters\.web\.retry\.attempts: expected at most 10, found 99/);
});

t.test('names that JavaScript knows are names like others', async t => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    const folder = t.testdir({
      'leaseway.yaml': `listeners: [{ address: ":0" }]\nroutes: [{ cluster: ${name} }]\n`,
      clusters: { 'web.yaml': WEB },
    });
    t.match(problemsOf(await loadConfig(folder, {}))[0], new RegExp(`no cluster "${name}"`));
    writeFileSync(join(folder, `clusters/${name}.yaml`), WEB);
    t.ok((await loadConfig(folder, {})).ok, name);
  }
});
