// A second leaseway on the same configuration: refused when it is an accident, let in when it is meant.

import { once } from 'node:events';
import t from 'tap';
import { movesQueuedConnections } from '../../../lib/supervise/migrate.ts';
import { deadPort } from '../../support/backends.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { Load, reportLines } from '../../support/load.ts';
import { RollBackend } from '../../support/roll-backends.ts';
import { runCli } from '../../support/run-cli.ts';

t.test('a second start is refused and names the process that runs', async t => {
  await using backend = await RollBackend.start();
  await using leaseway = await Leaseway.start({ clusters: { web: { backends: [backend.url] } } });
  const { code, err } = await runCli(['run', leaseway.folder]);
  t.equal(code, 4);
  t.match(err, new RegExp(`process ${leaseway.pid} holds ${leaseway.folder}`));
  t.equal((await fetch(`${leaseway.url()}/still`)).status, 200);
});

t.test('--takeover: the new one serves beside the old, which then finishes and goes', async t => {
  await using backend = await RollBackend.start();
  const [port, admin] = [await deadPort(), await deadPort()];
  const config = {
    workers: 2,
    listeners: [{ address: `127.0.0.1:${port}` }],
    admin: { address: `127.0.0.1:${admin}` },
  };
  const clusters = { web: { backends: [backend.url] } };
  await using first = await Leaseway.start({ config, clusters });
  await using load = await Load.start({
    port,
    keepAlive: { connections: 8, thinkMs: 10 },
    http2: { connections: 2, streams: 3, thinkMs: 10 },
    fresh: { perSecond: 200 },
  });
  const exited = once(first.child, 'exit');
  await using second = await Leaseway.start({
    config: { ...config, state: { dir: `${first.folder}/state` } },
    clusters,
    args: ['--takeover'],
  });
  t.strictSame(await exited, [0, null]);
  await second.until(async () => {
    const status = await fetch(`http://127.0.0.1:${admin}/v1/status`).catch(() => null);
    return status?.ok === true && ((await status.json()) as { pid: number }).pid === second.pid;
  });
  const report = await load.stop();
  t.comment(reportLines(`takeover, tcp_migrate_req ${movesQueuedConnections() ? 1 : 0}`, report));
  // What was queued on the old process's sockets as they closed, and nothing else.
  t.ok(Object.keys(report.failures).every(reason => /^new connection .*(ECONNRESET|hang up)/.test(reason)));
  t.ok(report.failed <= report.requests / 1_000, `${report.failed} of ${report.requests} lost`);
  const warned = second.log.some(line => line.includes('net.ipv4.tcp_migrate_req=1'));
  t.equal(warned, !movesQueuedConnections());
});
