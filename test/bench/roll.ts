// What reloads and upgrades cost the clients: `node test/bench/roll.ts [--json FILE] [--reloads N] [--upgrades N]`.
//
// Load of six kinds from a process of its own that retries nothing; 50 reloads by API, signal and file, then ten upgrades by signal
// and by command. A WebSocket and a download run through all reloads.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reportLines } from '../support/load.ts';
import { Download, EchoSocket, openFiles, rollStage } from '../support/roll.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    reloads: { type: 'string', default: '50' },
    upgrades: { type: 'string', default: '10' },
  },
});
const reloads = Number(values.reloads);
const upgrades = Number(values.upgrades);

interface Row {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: number;
  readonly sense: '<=' | '>=';
  readonly baseline: string;
  readonly runs: number;
}
const rows: Row[] = [];
const row = (
  figure: string,
  value: number,
  unit: string,
  sense: Row['sense'],
  goal: number,
  runs: number,
): void =>
  void rows.push({ figure, value: Math.round(value * 10) / 10, unit, goal, sense, baseline: '', runs });
const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[of.length >> 1]!;

async function rollReloads(): Promise<void> {
  await using stage = await rollStage();
  const { leaseway, backends } = stage;
  await using load = await stage.load();
  const websocket = await EchoSocket.open(leaseway.port());
  const download = new Download(leaseway.port());
  const tookMs: number[] = [];
  for (let n = 1; n <= reloads; n++) tookMs.push(await stage.reload(n));
  backends[0]!.finishDrips();
  await leaseway.until(() => download.ended !== 'no');
  const report = await load.stop();
  process.stdout.write(`${reportLines(`${reloads} reloads`, report)}\n`);
  row('reload: failed requests', report.failed, 'requests', '<=', 0, reloads);
  row('reload: requests', report.requests, 'requests', '>=', reloads * 100, reloads);
  row('reload: longest pause', report.longestPauseMs, 'ms', '<=', 500, reloads);
  row('reload: until all workers answer by it, median', median(tookMs), 'ms', '<=', 1_000, reloads);
  row(
    'reload: WebSockets lost',
    websocket.closed === null && websocket.wrong === 0 ? 0 : 1,
    'of 1',
    '<=',
    0,
    reloads,
  );
  row('reload: downloads lost', download.ended === 'whole' ? 0 : 1, 'of 1', '<=', 0, reloads);
  websocket.close();
}

async function rollUpgrades(): Promise<void> {
  await using stage = await rollStage();
  const { leaseway } = stage;
  await using load = await stage.load();
  const filesBefore = openFiles(leaseway.pid);
  const tookMs: number[] = [];
  for (let n = 1; n <= upgrades; n++) tookMs.push(await stage.upgrade(n));
  const files = openFiles(leaseway.pid);
  const report = await load.stop();
  process.stdout.write(`${reportLines(`${upgrades} upgrades`, report)}\n`);
  process.stdout.write(`  descriptors ${filesBefore} before, ${files} after, load running\n`);
  row('upgrade: failed requests', report.failed, 'requests', '<=', 0, upgrades);
  row('upgrade: requests', report.requests, 'requests', '>=', upgrades * 500, upgrades);
  row('upgrade: longest pause', report.longestPauseMs, 'ms', '<=', 1_000, upgrades);
  row('upgrade: until the successor serves, median', median(tookMs), 'ms', '<=', 5_000, upgrades);
  row('upgrade: until the successor serves, slowest', Math.max(...tookMs), 'ms', '<=', 10_000, upgrades);
}

/** Apart from the others and harder: most of what goes on is HTTP/2 over TLS. */
async function rollHttp2OverTls(): Promise<void> {
  await using stage = await rollStage();
  const http2Tls = { connections: 4, streams: 4, thinkMs: 10 };
  await using load = await stage.load({
    http2Tls,
    open: { perSecond: 20 },
    keepAlive: { connections: 1, thinkMs: 50 },
  });
  for (let n = 1; n <= upgrades; n++) await stage.upgrade(n);
  const report = await load.stop();
  process.stdout.write(`${reportLines(`${upgrades} upgrades with HTTP/2 over TLS`, report)}\n`);
  const requests = report.kinds['http2 over TLS']?.requests ?? 0;
  row('upgrade: HTTP/2 over TLS, failed requests', report.failed, 'requests', '<=', 0, upgrades);
  row('upgrade: HTTP/2 over TLS, requests', requests, 'requests', '>=', upgrades * 500, upgrades);
}

await rollReloads();
await rollUpgrades();
await rollHttp2OverTls();
for (const { figure, value, unit, sense, goal } of rows)
  process.stdout.write(`${figure}: ${value} ${unit} (goal ${sense} ${goal})\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
process.exitCode = rows.every(({ value, sense, goal }) => (sense === '<=' ? value <= goal : value >= goal))
  ? 0
  : 1;
