// Upgrades under load: nothing fails, long connections end in order, no descriptor is left behind.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { reportLines } from '../../support/load.ts';
import { Download, EchoSocket, isAlive, openFiles, rollStage } from '../../support/roll.ts';
import { runCli } from '../../support/run-cli.ts';

t.test('upgrades by signal and by command fail no request', async t => {
  await using stage = await rollStage();
  const { leaseway } = stage;
  await using load = await stage.load({ http2Tls: { connections: 2, streams: 3, thinkMs: 10 } });
  const tookMs: number[] = [];
  const ports = leaseway.serving.listeners.map(({ port }) => port);
  for (let n = 1; n <= 3; n++) {
    tookMs.push(await stage.upgrade(n));
    await stage.reload(n);
  }
  const report = await load.stop();
  t.comment(reportLines(`3 upgrades, slowest ${Math.max(...tookMs).toFixed(0)} ms`, report));
  t.strictSame(report.failures, {});
  t.strictSame(
    leaseway.serving.listeners.map(({ port }) => port),
    ports,
  );
  t.equal((await leaseway.status()).pid, leaseway.pid);
});

t.test('WebSockets end with 1012 at a pace, downloads finish, the old process goes', async t => {
  await using stage = await rollStage({ shutdown: { deadline: '8s', pace: 20 } });
  const { leaseway, backends } = stage;
  const sockets = await Promise.all(Array.from({ length: 40 }, () => EchoSocket.open(leaseway.port())));
  const whole = new Download(leaseway.port());
  await leaseway.until(() => whole.bytes > 0 && sockets.every(socket => socket.echoed > 0));
  const before = leaseway.pid;
  const startMs = performance.now();
  process.kill(before, 'SIGUSR2');
  await leaseway.generation(2);
  const servingMs = performance.now();
  await leaseway.until(() => sockets.every(socket => socket.closed !== null));
  t.strictSame([...new Set(sockets.map(socket => socket.closed))], [1012]);
  t.ok(sockets.every(socket => socket.wrong === 0));
  const ends = sockets.map(socket => socket.closedMs - servingMs).sort((a, b) => a - b);
  t.ok(ends.at(-1)! - ends[0]! > 1_000, `paced: ended over ${(ends.at(-1)! - ends[0]!).toFixed(0)} ms`);
  t.ok(isAlive(before), 'the download keeps the old process');
  t.equal(whole.ended, 'no');
  backends[0]!.finishDrips();
  await leaseway.until(() => whole.ended !== 'no');
  t.equal(whole.ended, 'whole');
  await leaseway.until(() => !isAlive(before));
  t.ok(performance.now() - startMs < 11_000, 'within its deadline');
  const again = await EchoSocket.open(leaseway.port());
  await leaseway.until(() => again.echoed > 0);
  again.close();
});

t.test('what does not finish by the deadline is cut, and the process exits', async t => {
  await using stage = await rollStage({ shutdown: { deadline: '2s' } });
  const { leaseway } = stage;
  const endless = new Download(leaseway.port());
  await leaseway.until(() => endless.bytes > 0);
  const before = leaseway.pid;
  process.kill(before, 'SIGUSR2');
  await leaseway.generation(2);
  const servingMs = performance.now();
  await leaseway.until(() => !isAlive(before));
  const tookMs = performance.now() - servingMs;
  t.equal(endless.ended, 'cut');
  t.ok(tookMs > 1_500 && tookMs < 5_500, `gone after ${tookMs.toFixed(0)} ms`);
  t.match(leaseway.log.join('\n'), /deadline came: connections were cut/);
});

t.test('an upgrade that fails leaves the old process serving and says why', async t => {
  await using stage = await rollStage();
  const { leaseway } = stage;
  await using load = await stage.load();
  const before = leaseway.pid;
  const file = join(leaseway.folder, 'leaseway.yaml');
  writeFileSync(file, 'listeners: [{ address: "127.0.0.1:0" }]\nroutes: [{ clutser: web }]\n');
  const admin = `http://127.0.0.1:${leaseway.serving.admin.port}`;
  const { code, err } = await runCli(['upgrade', '--admin', admin]);
  t.equal(code, 1);
  t.match(err, /leaseway\.yaml:2:\d+/, 'the command names file, line and column');
  t.match(err, /clutser/);
  t.ok(isAlive(before));
  t.match(leaseway.log.join('\n'), /the upgrade failed; going on as before/);
  // The lock is still ours: a second start is refused.
  stage.write(1);
  const second = await runCli(['run', leaseway.folder]);
  t.equal(second.code, 4);
  t.match(second.err, new RegExp(`process ${before} holds`));
  await stage.reload(2);
  await stage.upgrade(1);
  const report = await load.stop();
  t.strictSame(report.failures, {});
});

t.test('a chain of ten upgrades leaks no file descriptor', async t => {
  await using stage = await rollStage({ shutdown: { deadline: '2s' } });
  const { leaseway } = stage;
  const counts: number[] = [];
  for (let n = 0; n <= 10; n++) {
    if (n > 0) await stage.upgrade(n * 2);
    // Settled: watches are set, nothing is being loaded.
    await stage.reload(n * 3 + 3);
    counts.push(openFiles(leaseway.pid));
  }
  t.comment(`open descriptors after 0 to 10 upgrades: ${counts.join(' ')}`);
  // Connections to backends and of this test come and go; a leak of one a turn would add ten.
  const early = Math.max(...counts.slice(0, 4));
  t.ok(counts.slice(-3).every(count => count <= early + 4));
});
