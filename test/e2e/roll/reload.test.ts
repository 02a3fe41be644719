// Reloads under load: nothing fails, and what runs over an unchanged route does not notice.

import t from 'tap';
import { reportLines } from '../../support/load.ts';
import { Download, EchoSocket, rollStage } from '../../support/roll.ts';

const RELOADS = 12;

t.test('reloads that change routes, clusters, backends and certificates fail no request', async t => {
  await using stage = await rollStage();
  const { leaseway, backends } = stage;
  await using load = await stage.load();
  const websocket = await EchoSocket.open(leaseway.port());
  const download = new Download(leaseway.port());
  await leaseway.until(() => download.bytes > 0 && websocket.echoed > 0);
  const tookMs: number[] = [];
  for (let n = 1; n <= RELOADS; n++) tookMs.push(await stage.reload(n));
  const { bytes } = download;
  const { echoed } = websocket;
  await leaseway.until(() => download.bytes > bytes && websocket.echoed > echoed);
  t.equal(download.ended, 'no');
  t.equal(websocket.closed, null);
  t.equal(websocket.wrong, 0);
  backends[0]!.finishDrips();
  await leaseway.until(() => download.ended !== 'no');
  t.equal(download.ended, 'whole');
  websocket.close();
  const report = await load.stop();
  t.comment(reportLines(`${RELOADS} reloads, slowest ${Math.max(...tookMs).toFixed(0)} ms`, report));
  t.strictSame(report.failures, {});
  t.ok(report.requests > 100 * RELOADS, 'it was a load');
  const { backends: listed, workers } = await leaseway.status();
  t.equal(listed.filter((one: { cluster: string }) => one.cluster === 'web').length, 2);
  t.ok(workers.every((worker: { alive: boolean }) => worker.alive));
});
