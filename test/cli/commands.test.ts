import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../lib/core/clock.ts';
import { LeasewayError } from '../../lib/core/errors.ts';
import { EXIT, EXIT_SAYS } from '../../lib/core/exit-codes.ts';
import type { ExplainedBackend } from '../../lib/orders/explained.ts';
import { adminFixture, type Fixture, type FixtureOptions, TOKEN } from '../support/admin-fixture.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { type CliRun, runCli } from '../support/run-cli.ts';

type Test = Parameters<typeof adminFixture>[0];

/** A running leaseway, and the CLI pointed at it with the token. */
async function running(t: Test, options: FixtureOptions = {}) {
  const fixture = await adminFixture(t, options);
  const cli = (args: string[], more: CliRun = {}) =>
    runCli(args, { ...more, env: { ...at(fixture), LEASEWAY_TOKEN: TOKEN, ...more.env } });
  return { ...fixture, cli };
}

const at = ({ port }: Fixture) => ({ LEASEWAY_ADMIN: `http://127.0.0.1:${port}` });

t.test('status shows the process and an aligned table of backends', async t => {
  const { cli, control } = await running(t);
  control.change('web', 'web-2', { state: 'down', failures: 3, healthDetail: 'bad \x1b[2J\n words' });
  const { code, out, err } = await cli(['status']);
  t.equal(code, EXIT.ok, err);
  t.match(out, /^leaseway 0\.1\.0, process 4242, up .*, ready\n/);
  t.match(out, /workers {4}2 of 2; 0 connections/);
  const lines = out.trimEnd().split('\n').slice(-4);
  t.match(lines[0], /^BACKEND {6}STATE {2}WEIGHT {2}IN FLIGHT {2}TUNNELS/);
  t.match(lines[1], /^web\/web-1 {4}up {10}1 {10}2 {8}3 /);
  t.match(lines[2], /down .* 3 {2}http:\/\/127\.0\.0\.1:9002 {2}bad ·\[2J· words$/, 'no control characters');
  t.equal(lines[1]!.indexOf('http:'), lines[2]!.indexOf('http:'), 'columns are aligned');
  t.notMatch(out, /\x1b/, 'no colours in a pipe');
});

t.test('status --json is the report, whole', async t => {
  const { cli, control } = await running(t);
  const { out } = await cli(['status', '--json']);
  t.same(JSON.parse(out), { ...control.status_, revision: 7 });
});

t.test('status --watch goes on until it is interrupted', async t => {
  const { cli } = await running(t);
  const { out } = await cli(['status', '--watch', '--json'], {
    onOut: (out, kill) => {
      if (out.split('\n').length > 2) kill();
    },
  });
  for (const line of out.trimEnd().split('\n')) t.equal(JSON.parse(line).pid, 4242);
});

t.test('status says why it is not ready and what is wrong with the configuration', async t => {
  const { cli, control } = await running(t);
  control.status_ = {
    ...control.status_,
    ready: false,
    notReady: ['no listener'],
    reloadProblems: ['leaseway.yaml:3:1 unknown key'],
    backends: [],
  };
  const { out } = await cli(['status']);
  t.match(out, /not ready \(no listener\)/);
  t.match(out, /problem {4}leaseway\.yaml:3:1/);
  t.match(out, /no backends\n$/);
});

t.test('drain and undrain say what they did', async t => {
  const { cli, control } = await running(t);
  const drained = await cli(['drain', 'web/web-1', '--deadline', '5m']);
  t.equal(drained.code, EXIT.ok, drained.err);
  t.match(drained.out, /^web\/web-1 drains: 2 requests and 3 tunnels left/);
  const json = await cli(['drain', 'web/web-2', '--json']);
  t.match(JSON.parse(json.out), { backend: { id: 'web-2', state: 'draining' } });
  const back = await cli(['undrain', 'web/web-1']);
  t.equal(back.out, 'web/web-1 is back in service: up\n');
  t.same(control.calls, ['drain web web-1 300000', 'drain web web-2 undefined', 'undrain web web-1']);
});

t.test('drain --wait returns when nothing is left', async t => {
  const { cli, control } = await running(t);
  let looks = 0;
  control.onStatus = () => {
    const { backends } = control.status_;
    const backend = backends.find(({ id }) => id === 'web-1')!;
    if (backend.admin === 'drain' && ++looks > 1)
      control.change('web', 'web-1', { inFlight: 0, tunnels: Math.max(0, backend.tunnels - 2) });
  };
  control.drainUntilMs = systemClock.wallMs() + 60_000;
  const { code, out, err } = await cli(['drain', 'web/web-1', '--wait']);
  t.equal(code, EXIT.ok, err);
  t.match(
    out,
    /^web\/web-1 drains: 2 requests and 3 tunnels left, ended in (\d\ds|1m) at the latest\nweb\/web-1 is empty after .*\n$/,
  );
});

t.test('drain --wait fails when somebody ends the drain, and succeeds when the backend is gone', async t => {
  const { cli, control } = await running(t);
  let looks = 0;
  control.onStatus = () => {
    if (control.calls.length > 0 && ++looks === 2) control.change('web', 'web-1', { admin: 'ready' });
  };
  const ended = await cli(['drain', 'web/web-1', '--wait']);
  t.equal(ended.code, EXIT.refused);
  t.match(ended.err, /^leaseway: web\/web-1 drains no longer: it is set to ready\n$/);
  control.change('chat', 'chat-1', { tunnels: 1 });
  looks = 0;
  control.onStatus = () => {
    if (control.calls.includes('drain chat chat-1 undefined') && ++looks === 2)
      control.status_ = { ...control.status_, backends: control.status_.backends.slice(0, 2) };
  };
  const gone = await cli(['drain', 'chat/chat-1', '--wait', '--json']);
  t.equal(gone.code, EXIT.ok, gone.err);
  t.match(JSON.parse(gone.out), { drained: true, tookMs: Number });
});

t.test('reload tells the changes, or every problem', async t => {
  const { cli, control } = await running(t);
  t.equal((await cli(['reload'])).out, 'reloaded, generation 4:\n  + cluster chat\n');
  control.reload_ = async () => ({ generation: 4, changes: [] });
  t.equal((await cli(['reload'])).out, 'reloaded: nothing changed\n');
  control.reload_ = async () => {
    throw new LeasewayError(
      'CONFIG_INVALID',
      'leaseway.yaml:3:1 unknown key\nclusters/a.yaml:1:1 no backend',
    );
  };
  const refused = await cli(['reload']);
  t.equal(refused.code, EXIT.configInvalid);
  t.match(refused.err, /^leaseway: leaseway\.yaml:3:1 unknown key\nclusters\/a\.yaml:1:1 no backend\n$/);
  t.equal(refused.out, '');
});

t.test('upgrade names the new process', async t => {
  const { cli, control } = await running(t);
  t.match((await cli(['upgrade'])).out, /^process 4343 serves now; process 4242 /);
  t.same(JSON.parse((await cli(['upgrade', '--json'])).out), { pid: 4343, before: 4242 });
  control.upgrade_ = async () => {
    throw new LeasewayError('UPGRADE_FAILED', 'it ended with exit code 5');
  };
  const failed = await cli(['upgrade']);
  t.equal(failed.code, EXIT.failed);
  t.match(failed.err, /exit code 5/);
});

t.test('explain says where a request would go and shows only the columns that say something', async t => {
  const { cli, control } = await running(t);
  const backend: Omit<ExplainedBackend, 'id'> = {
    state: 'up',
    candidate: true,
    inFlight: 2,
    concurrency: 0,
    weight: 1,
    effectiveWeight: 1,
    latencyMs: null,
    predicted: null,
    gate: 'open',
    score: 20.94,
    remark: '',
    figures: { service_ms: 19.81 },
  };
  control.explained_ = {
    ...{
      cluster: 'web',
      worker: 1,
      policy: 'predictive',
      rule: 'by speed',
      choice: 'web-1',
      controlAgeMs: 3,
    },
    backends: [
      { ...backend, id: 'web-1' },
      {
        ...backend,
        id: 'web-2',
        candidate: false,
        state: 'down',
        score: null,
        figures: {},
        remark: 'check: 503',
      },
    ],
  };
  const { code, out } = await cli(['explain', 'web', '--hash-key', 'a b', '--worker', '1']);
  t.equal(code, EXIT.ok);
  t.equal(control.calls.at(-1), 'explain web a b 1');
  t.equal(
    out,
    `cluster    web, policy predictive, as worker 1 sees it
goes to    web-1
rule       by speed

BACKEND  STATE  SCORE  IN FLIGHT  SERVICE MS
web-1    up      20.9          2        19.8
web-2    down       -          2           -  check: 503
`,
  );
  t.same(JSON.parse((await cli(['explain', 'web', '--json'])).out), control.explained_);
  const forecast = {
    ...{ load: 0.31, resource: 'in_flight', ageMs: 4_000, doubt: 'silent', periodMs: 60_000, again: 0.93 },
    horizons: [{ horizonMs: 5_000, p50: 0.3, p90: 0.45 }],
    models: [{ name: 'regression', weight: 0.8 }],
    events: [
      { name: 'reindex', factor: 4, beginsInMs: 7_000, endsInMs: 37_000 },
      { name: 'sale', factor: 2, beginsInMs: -1, endsInMs: 5_000 },
    ],
  };
  control.explained_ = { ...control.explained_, backends: [{ ...backend, id: 'web-1', forecast }] };
  const told = (await cli(['explain', 'web'])).out;
  t.equal(
    told.slice(told.indexOf('foreseen')),
    'foreseen\n  web-1: load 0.31 of in flight, 4s old; in 5s 0.30..0.45; by regression 80 %; repeats every 1m; ' +
      'came to 0.93 about now in the last two periods; ' +
      'event reindex (4 × the load) begins in 7s; event sale (2 × the load) holds for 5s more; its reports are doubted: silent\n',
  );
  t.equal((await cli(['explain', 'web', '--worker', 'x'])).code, EXIT.usage);
  control.explained_ = null;
  t.equal((await cli(['explain', 'nobody'])).code, EXIT.notFound);
});

t.test('connections are listed, filtered and counted', async t => {
  const { cli, control } = await running(t);
  t.equal((await cli(['connections'])).out, 'no connections\n');
  control.connections_ = [1, 2, 3].map(n => ({
    id: `0-${n}`,
    protocol: 'websocket',
    client: '10.0.0.1',
    route: 'all',
    cluster: 'web',
    backend: n === 3 ? 'web-2' : 'web-1',
    slot: 0,
    movable: true,
    ageMs: 92_000,
    bytesIn: 500,
    bytesOut: 1_536,
  }));
  const { out } = await cli(['connections', '--backend', 'web/web-1', '--limit', '1']);
  t.match(
    out,
    /0-1 {2}websocket {2}10\.0\.0\.1 {2}web\/web-1 {2}1m32s {2}500 B {2}1\.5 KiB {2}all\nand 1 more/,
  );
  t.match(JSON.parse((await cli(['connections', '--backend', 'web-2', '--json'])).out), { total: 1 });
});

t.test('a connection is moved, and how that ended is told', async t => {
  const { cli, control } = await running(t);
  const { code, out } = await cli(['connections', 'move', '0-7', '--to', 'web/web-2']);
  t.equal(code, EXIT.ok);
  t.equal(out, '0-7 moved from web-1 to web-2; its client waited 1.3 ms\n');
  control.moved_ = { result: 'unclean' };
  t.match((await cli(['connections', 'move', '0-7'])).out, /but web-1 did not close in order/);
  control.moved_ = { result: 'ended' };
  t.match((await cli(['connections', 'move', '0-7'])).out, /told to come again \(1012\)/);
  control.moved_ = { result: 'failed', reason: 'it is on a route whose connections stay, or is closing' };
  const failed = await cli(['connections', 'move', '0-7', '--json']);
  t.equal(failed.code, EXIT.failed);
  t.match(failed.err, /0-7 was not moved: it is on a route whose connections stay/);
  t.equal(JSON.parse(failed.out).result, 'failed');
  t.same(control.calls.slice(0, 2), ['move 0-7 to web-2', 'move 0-7 to null']);
});

t.test('the token is found by itself where the running leaseway keeps it', async t => {
  const tokenFile = join(t.testdir({ 'a ç %20': {} }), 'a ç %20', 'admin-token');
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
  const log = new MemoryLog();
  const fixture = await adminFixture(t, { tokenFile, log });
  // With a look before the write, and without one.
  for (const words of [['undrain', 'web/web-1'], ['reload']]) {
    const { code, err } = await runCli(words, { env: at(fixture) });
    t.equal(code, EXIT.ok, err);
  }
  t.equal(log.count('info', 'admin write'), 2);
  t.equal(log.count('warn', 'refused'), 0, 'no write goes without the token first');
});

t.test('a file that leaseway would not name so is not read, whoever says so', async t => {
  const tokenFile = join(t.testdir(), 'id_rsa');
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
  const fixture = await adminFixture(t, { tokenFile });
  const asked = await runCli(['undrain', 'web/web-1'], { env: at(fixture) });
  t.equal(asked.code, EXIT.refused);
  t.match(asked.err, /this needs the admin token: give it by --token-file .*; it is in .*id_rsa/);
  const given = await runCli(['undrain', 'web/web-1', '--token-file', tokenFile], { env: at(fixture) });
  t.equal(given.code, EXIT.ok, given.err);
});

t.test('address and token are found through the configuration', async t => {
  const fixture = await adminFixture(t, { tokenFile: '/elsewhere/token' });
  const dir = t.testdir({
    'leaseway.yaml': `listeners: [{ address: "127.0.0.1:0" }]\nroutes: [{ respond: {} }]\nadmin: { address: "127.0.0.1:${fixture.port}", token_file: secret }\n`,
  });
  writeFileSync(join(dir, 'secret'), TOKEN, { mode: 0o600 });
  const { code, err } = await runCli(['undrain', 'web/web-1', '--config', dir]);
  t.equal(code, EXIT.ok, err);
});

t.test('exit codes tell scripts what happened', async t => {
  const { cli, control } = await running(t);
  const table: [args: string[], code: number, says: RegExp, env?: Record<string, string>][] = [
    [['drain', 'web/nope'], EXIT.notFound, /web has no backend nope; it has web-1, web-2/],
    [['drain', 'web-1'], EXIT.usage, /"web-1" names no backend: write CLUSTER\/BACKEND/],
    [['drain', 'web/web-1', '--deadline', 'soon'], EXIT.usage, /expected a duration/],
    [['drian', 'web/web-1'], EXIT.usage, /Did you mean drain/],
    [['status', '--jsn'], EXIT.usage, /unknown option/],
    [['connections', '--limit', '0'], EXIT.usage, /1 to 10000/],
    [['run', '--workers', 'many'], EXIT.usage, /1 to 64/],
    [
      ['drain', 'web/web-1'],
      EXIT.refused,
      /the token was refused/,
      { LEASEWAY_TOKEN: 'wrong-token-0123456789' },
    ],
    [['status', '--token-file', '/nowhere/token'], EXIT.usage, /no token file \/nowhere\/token/],
    [
      ['status', '--admin', 'http://127.0.0.1:1'],
      EXIT.unreachable,
      /no leaseway answers at http:\/\/127\.0\.0\.1:1 .*leaseway run/,
    ],
    [['status', '--admin', 'ftp://x'], EXIT.usage, /is no URL/],
    [['validate', '/nowhere'], EXIT.usage, /^$/],
  ];
  const results = await Promise.all(table.map(([args, , , env = {}]) => cli(args, { env })));
  table.forEach(([args, code, says], i) => {
    t.equal(results[i]!.code, code, `${args.join(' ')}: ${results[i]!.err}`);
    t.match(results[i]!.err, says, args.join(' '));
  });
  t.same(control.calls, []);
});

t.test('a state that changed between look and write is not overwritten', async t => {
  const { cli, control } = await running(t);
  // Somebody else acts right after our look.
  control.onStatus = () => {
    queueMicrotask(() => {
      control.revision += 1;
    });
  };
  const { code, err } = await cli(['drain', 'web/web-1']);
  t.equal(code, EXIT.refused);
  t.match(err, /somebody changed the state meanwhile: look again and repeat/);
});

t.test('schema and completion are printed', async t => {
  const [root, cluster, bash, fish] = await Promise.all([
    runCli(['schema']),
    runCli(['schema', 'cluster']),
    runCli(['completion', 'bash']),
    runCli(['completion', 'fish']),
  ]);
  t.ok(JSON.parse(root.out).properties.listeners);
  t.ok(JSON.parse(cluster.out).properties.backends);
  t.match(fish.out, /complete -c leaseway -n __fish_use_subcommand -f -a drain -d /);
  const complete = (...words: string[]): string =>
    execFileSync('bash', [
      '-c',
      `${bash.out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leaseway; echo "\${COMPREPLY[*]}"`,
      'bash',
      'leaseway',
      ...words,
    ]).toString();
  t.equal(complete('un'), 'undrain unfreeze\n');
  t.match(complete('drain', '--d'), /^--deadline\n$/);
});

t.test('help and the README document every exit code', async t => {
  const readme = readFileSync(join(import.meta.dirname, '../../lib/cli/README.md'), 'utf8');
  for (const [exit, says] of Object.entries(EXIT_SAYS))
    t.ok(new RegExp(`^\\| *${exit} *\\| ${says} *\\|$`, 'm').test(readme), says);
  const { out, code } = await runCli(['--help']);
  t.equal(code, EXIT.ok);
  for (const exit of Object.values(EXIT)) t.match(out, new RegExp(`^ +${exit} {2}\\w`, 'm'));
});
