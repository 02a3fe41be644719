// Every command of the README is run, or, where it would change the machine, what it relies on is looked at.

import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { startExamples } from '../../lib/cli/examples.ts';
import { blocksOf, namesIn, README, ROOT, tableOf } from '../support/readme.ts';

const BIN = join(ROOT, 'bin/leaseway.ts');
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'leaseway-readme-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

// What `npm start` starts, on ports that are free.
const examples = await startExamples([0, 0, 0]);
t.teardown(() => examples[Symbol.asyncDispose]());
const ports = examples
  .lines([], null)
  .join('\n')
  .match(/ports (\d+), (\d+), (\d+)/)!;
cpSync(join(ROOT, 'config'), join(folder, 'config'), { recursive: true });
edit('config/leaseway.yaml', text => text.replace(':8080', ':0').replace(':9900', ':0'));
edit('config/clusters/web.yaml', text => text.replace(/:900([123])/g, (_, n) => `:${ports[Number(n)]}`));

const env: NodeJS.ProcessEnv = { ...process.env, XDG_STATE_HOME: join(folder, 'state'), NO_COLOR: '1' };
const proxy = spawn(process.execPath, [BIN, 'run', 'config', '--json'], {
  cwd: folder,
  env,
  stdio: ['ignore', 'pipe', 'pipe'],
});
let log = '';
proxy.stderr.setEncoding('utf8').on('data', (text: string) => {
  log += text;
});
const said = createInterface({ input: proxy.stdout })[Symbol.asyncIterator]();
const serving = JSON.parse((await said.next()).value ?? 'null');
t.teardown(() => end(proxy.pid!));
if (serving === null) throw new Error(`it does not serve: ${log}`);
const stateDir = join(folder, 'state/leaseway', readdirSync(join(folder, 'state/leaseway'))[0]!);
const real = (text: string): string =>
  text
    .replaceAll('localhost:8080', `127.0.0.1:${serving.listeners[0].port}`)
    .replaceAll('localhost:9900', `127.0.0.1:${serving.admin.port}`)
    .replaceAll('127.0.0.1:9001', `127.0.0.1:${ports[1]}`)
    .replaceAll('STATE_DIR', stateDir);

/** How a command is tried; the first that fits. A command nobody knows how to try is a failure. */
const WAYS: readonly (readonly [RegExp, (t: Test, command: string) => Promise<void>])[] = [
  [/^npm ci && npm (start|test)$/, isScript],
  [/^npm pack && npm install --global/, isPacked],
  [/^leaseway upgrade$/, upgrades],
  [/^(leaseway|npm run -s leaseway --) /, asks],
  [/^curl /, fetches],
  [/^sudo -u leaseway leaseway upgrade --config/, hasConfigOption],
  [/^systemctl /, isInUnit],
  [/^podman /, isInContainerfile],
];

for (const { heading, language, lines } of blocksOf(README))
  if (language === 'sh')
    for (const line of lines)
      t.test(`${heading}: ${line}`, { timeout: 60_000 }, async t => {
        const command = line.replace(/ +# .*$/, '');
        const way = WAYS.find(([pattern]) => pattern.test(command))?.[1];
        if (way === undefined) return void t.fail('nobody knows how to try it');
        await way(t, command);
      });

t.test('what npm start prints names only commands and paths that the README shows or that work', async t => {
  const printed = examples.lines(['http://localhost:8080'], { address: '', port: 9900, fd: 0 });
  const commands = printed.map(line => line.trim()).filter(line => /^(curl|npm) /.test(line));
  t.ok(commands.length > 5);
  for (const line of commands) {
    const command = line.replace(/ +# .*$/, '').replace(`:${ports[1]}`, ':9001');
    if (command.includes('/stream')) await streams(t, command);
    else await (command.startsWith('curl') ? fetches : asks)(t, command);
  }
});

t.test('the metrics that the README names are there', async t => {
  const { stdout } = await run('curl', ['-s', real('http://localhost:9900/metrics')]);
  const names = tableOf(README, 'metric').flatMap(([cell]) =>
    cell!.includes('`') ? namesIn(cell!) : [cell!],
  );
  t.ok(names.length > 5);
  for (const name of names) t.match(stdout, new RegExp(`^${name}(_bucket)?[{ ]`, 'm'), name);
});

async function isScript(t: Test, command: string): Promise<void> {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const script: string = scripts[command.endsWith('start') ? 'start' : 'test'];
  // CI runs the second from the first word; of the first everything but the ports is started above.
  if (command.endsWith('start')) t.equal(script, 'node bin/leaseway.ts run config --with-examples');
  else t.match(readFileSync(join(ROOT, '.ci/run'), 'utf8'), /^npm ci .*\n(#.*\n)*npm test$/m);
}

async function isPacked(t: Test, command: string): Promise<void> {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  t.ok(command.endsWith(`./${name}-${version}.tgz`));
  t.ok(existsSync(join(ROOT, 'test/e2e/pack.test.ts')), 'which tries the package');
}

async function asks(t: Test, command: string): Promise<void> {
  const words = real(command.replace(/^(leaseway|npm run -s leaseway --) /, '')).split(' ');
  const admin = { LEASEWAY_ADMIN: `http://127.0.0.1:${serving.admin.port}` };
  const { stdout } = await run(process.execPath, [BIN, ...words], { cwd: folder, env: { ...env, ...admin } });
  t.match(stdout, /\w/);
}

async function upgrades(t: Test, command: string): Promise<void> {
  if (process.platform !== 'linux') return void t.pass('only Linux upgrades');
  await asks(t, command);
  const { pid } = JSON.parse((await said.next()).value ?? 'null');
  t.not(pid, serving.pid, 'another process serves');
  successors.push(pid);
}
const successors: number[] = [];
t.teardown(() => successors.forEach(end));

/** `-f` besides, so that a status above 399 is a failure. */
async function fetches(t: Test, command: string): Promise<void> {
  const { stdout } = await run('bash', ['-c', real(command.replace(/^curl /, 'curl -sSf '))], {
    cwd: folder,
    env,
  });
  t.match(stdout, /\w/);
}

async function streams(t: Test, command: string): Promise<void> {
  const child = spawn('bash', ['-c', `exec ${real(command.replace(/^curl /, 'curl -sSf '))}`], {
    cwd: folder,
  });
  for await (const chunk of child.stdout) {
    t.match(String(chunk), /^id: 1\ndata: backend-\d says 1\n/);
    break;
  }
  child.kill();
}

async function isInUnit(t: Test, command: string): Promise<void> {
  const unit = readFileSync(join(ROOT, 'config/packaging/leaseway.service'), 'utf8');
  t.match(unit, command.includes('reload') ? /^ExecReload=.*leaseway reload/m : /^WantedBy=/m);
}

async function isInContainerfile(t: Test, command: string): Promise<void> {
  const text = readFileSync(join(ROOT, 'config/packaging/Containerfile'), 'utf8');
  for (const [, from] of text.matchAll(/^COPY (?!--from)(.*) \S+$/gm))
    for (const path of from!.split(' ')) t.ok(existsSync(join(ROOT, path)), `${path} can be copied`);
  for (const [, path] of command.matchAll(/:(\/[\w/]+)/g)) t.match(text, path!, `${path} is what it expects`);
}

async function hasConfigOption(t: Test): Promise<void> {
  t.match((await run(process.execPath, [BIN, 'upgrade', '--help'])).stdout, '--config');
}

function edit(path: string, change: (text: string) => string): void {
  const text = readFileSync(join(folder, path), 'utf8');
  writeFileSync(join(folder, path), change(text));
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
