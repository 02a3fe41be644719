// What is published works: packed, installed elsewhere, started as its users start it, on the oldest and the newest Node line.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { OtlpReceiver } from '../support/otlp-receiver.ts';
import { until } from '../support/until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NEWEST = '26.10.0';
const run = promisify(execFile);
/** Without the hooks that tap has its children load: users have none, and npm and tsc cannot do with them. */
const PLAIN = ['-u', 'NODE_OPTIONS'];
const plainly = (
  command: readonly string[],
  options: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv },
) => run('env', [...PLAIN, ...command], { ...options, maxBuffer: 16 * 1024 * 1024 });
// Outside the project, so that nothing of its node_modules can be found by accident.
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leaseway-pack-')));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const backend = createServer((request, response) => response.end(`${request.url} of the backend`));
new WebSocketServer({ server: backend }).on('connection', socket =>
  socket.on('message', data => socket.send(data)),
);
await once(backend.listen(0, '127.0.0.1'), 'listening');
const backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
t.teardown(() => void backend.close().closeAllConnections());

const npm = async (cwd: string, ...args: string[]): Promise<string> => {
  const quiet = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };
  const env = { ...process.env, ...quiet, npm_config_prefer_offline: 'true' };
  return (await plainly(['npm', ...args], { cwd, env })).stdout;
};

t.test('the package holds what is needed and nothing else', { timeout: 120_000 }, async t => {
  const out = await npm(ROOT, 'pack', '--json', '--pack-destination', folder);
  const [packed] = JSON.parse(out.slice(out.indexOf('[\n'))) as [
    { filename: string; files: { path: string }[] },
  ];
  const paths = packed.files.map(({ path }) => path);
  t.same(
    paths.filter(
      path =>
        !/^(dist\/(bin|lib)\/.*\.js|dist\/lib\/(client|server|core|plan\/lease|control\/api\/gen)\/.*\.d\.ts|config\/.*|package\.json|(README|CHANGELOG)\.md|LICENSE)$/.test(
          path,
        ),
    ),
    [],
  );
  for (const path of [
    'dist/bin/leaseway.js',
    'dist/lib/worker.js',
    'dist/lib/control.js',
    'dist/lib/client/index.d.ts',
    'dist/lib/server/index.d.ts',
    'README.md',
    'LICENSE',
  ])
    t.ok(paths.includes(path), path);
  const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
  t.equal(
    paths.filter(path => /^dist\/lib\/.*\.js$/.test(path)).length,
    sources.filter(path => path.endsWith('.ts')).length,
    'one compiled file for each source, none left over from before',
  );
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  await npm(folder, 'install', '--omit=dev', `./${packed.filename}`);
  t.ok(existsSync(join(folder, 'node_modules/.bin/leaseway')));
});

t.test('the SDK and the helpers for backends can be imported, with types', { timeout: 60_000 }, async t => {
  const script = `
    import { envelope, LeasewaySocket } from 'leaseway/client';
    import { EnvelopeServer, ResumeCheck } from 'leaseway/server';
    console.log([envelope, LeasewaySocket, EnvelopeServer, ResumeCheck].map(each => typeof each).join());`;
  writeFileSync(join(folder, 'uses.mjs'), script);
  const { stdout } = await plainly([process.execPath, join(folder, 'uses.mjs')], { env: process.env });
  t.equal(stdout.trim(), 'function,function,function,function');

  writeFileSync(
    join(folder, 'page.ts'),
    `import { LeasewaySocket, type LeasewayState } from 'leaseway/client';
    const socket = new LeasewaySocket('wss://example.com/', ['chat'], { resume: ({ send }) => send('me') });
    const state: LeasewayState = socket.state;
    socket.onmessage = ({ data }) => console.log(data, state);
    // @ts-expect-error: no number can be sent
    socket.send(1);`,
  );
  writeFileSync(
    join(folder, 'backend.ts'),
    `import { EnvelopeServer, heedDrainNotices } from 'leaseway/server';
    import { WebSocketServer } from 'ws';
    const server = new WebSocketServer({ port: 0 });
    heedDrainNotices(server);
    const envelopes = new EnvelopeServer();
    server.on('connection', socket => envelopes.serve(socket, { message: (talk, data) => void talk.send(data) }));`,
  );
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const common = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext'];
  const check = (file: string, ...flags: string[]) =>
    plainly([tsc, ...common, ...flags, join(folder, file)], { cwd: folder, env: process.env });
  // A page has no types of Node.
  await t.resolves(check('page.ts', '--lib', 'es2024,dom,dom.iterable', '--types', ''));
  const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node,ws', '--skipLibCheck'];
  await t.resolves(check('backend.ts', '--lib', 'es2024,esnext.disposable', ...types));
});

t.test(`Node ${process.versions.node}`, { timeout: 60_000 }, async t => serves(t, dirname(process.execPath)));

t.test(`Node ${NEWEST}`, { timeout: 180_000 }, async t => {
  const place = join(folder, 'newest');
  const name =
    process.platform === 'darwin'
      ? `node-bin-darwin-${process.arch}`
      : `node-${process.platform}-${process.arch}`;
  await npm(folder, 'install', '--prefix', place, `${name}@${NEWEST}`);
  const bin = join(place, 'node_modules', name, 'bin');
  t.equal(
    (await plainly([join(bin, 'node'), '--version'], { env: process.env })).stdout.trim(),
    `v${NEWEST}`,
  );
  await serves(t, bin);
});

/** init, validate, run, a request, a WebSocket, a span, an upgrade, the end: all by the Node of this folder, nothing warned of. */
async function serves(t: Test, nodeFolder: string): Promise<void> {
  const command = join(folder, 'node_modules/.bin/leaseway');
  const PATH = `${nodeFolder}${delimiter}${process.env.PATH}`;
  const env = { PATH, HOME: folder, XDG_STATE_HOME: join(folder, 'state') };
  const config = mkdtempSync(join(folder, 'config-'));
  t.match((await plainly([command, 'init', config], { env })).stdout, /wrote .*leaseway\.yaml/);
  t.match((await plainly([command, 'validate', config], { env })).stdout, /./);

  await using collector = await OtlpReceiver.listen();
  edit(
    join(config, 'leaseway.yaml'),
    text => `${text.replace(/:(8080|9900)\b/g, ':0')}
telemetry: { sample: 100%, otlp: { endpoint: "${collector.endpoint}", interval: 100ms } }
`,
  );
  edit(join(config, 'clusters/web.yaml'), text =>
    text.replace(/ - http:\S+9001/, ` - ${backendUrl}`).replace(/ +- http:\S+9002\n/, ''),
  );

  const child = spawn('env', [...PLAIN, command, 'run', config, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors: string[] = [];
  createInterface({ input: child.stderr }).on('line', line => errors.push(line));
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.teardown(() => void child.kill('SIGKILL'));
  const serving = JSON.parse((await lines.next()).value ?? '{}');
  t.equal(serving.event, 'serving', errors.join('\n'));
  const port = serving.listeners[0].port;

  t.equal(await (await fetch(`http://127.0.0.1:${port}/path`)).text(), '/path of the backend');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'hello');
  socket.close();
  await once(socket, 'close');
  await collector.until(({ posts }) => posts.some(({ path }) => path === '/v1/traces'));

  if (process.platform === 'linux') {
    const admin = ['--admin', `http://127.0.0.1:${serving.admin.port}`];
    const { stdout } = await plainly([command, 'upgrade', ...admin, '--json'], { env });
    const { pid } = JSON.parse(stdout) as { pid: number };
    t.teardown(() => end(pid));
    t.equal((await ended)[0], 0, 'the process before ends by itself');
    t.equal(await (await fetch(`http://127.0.0.1:${port}/again`)).text(), '/again of the backend');
    process.kill(pid, 'SIGTERM');
    await until('the successor ends', () => !alive(pid), 20_000);
  } else {
    child.kill('SIGTERM');
    t.equal((await ended)[0], 0);
  }
  t.same(
    errors.filter(line => /\(node:\d+\)|Warning\b|--trace-/.test(line)),
    [],
    'no deprecated or experimental feature is used',
  );
}

function edit(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, 'utf8');
  const changed = change(text);
  if (changed === text) throw new Error(`${path} is not what leaseway init wrote before`);
  writeFileSync(path, changed);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function end(pid: number): void {
  if (alive(pid)) process.kill(pid, 'SIGKILL');
}
