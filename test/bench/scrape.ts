// What metrics pages of many backends cost the control thread: `node test/bench/scrape.ts [--backends N] [--pages N]`.
//
// A server of its own process answers pages as node_exporter (8 and 64 processors) and `leaseway agent` write them; they are fetched,
// read and judged by the very classes of control/signals. CPU is that of this process, which does nothing else.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Cluster } from '../../lib/config/cluster.ts';
import { Scraper } from '../../lib/control/signals/scrape.ts';
import { systemClock } from '../../lib/core/clock.ts';

const { values: options } = parseArgs({
  options: { backends: { type: 'string', default: '4096' }, pages: { type: 'string', default: '1000' } },
});
const [backends, pages] = [Number(options.backends), Number(options.pages)];
/** As they are by default. */
const INTERVAL_MS = 5_000;
const AT_ONCE = 32;

/** Families that nobody wants are most of a page: so many lines of them. */
const OTHERS = 1_200;

function nodePage(cores: number, second: number): string {
  const modes = ['idle', 'iowait', 'irq', 'nice', 'softirq', 'steal', 'system', 'user'];
  const lines: string[] = [];
  for (let i = 0; i < OTHERS; i++) {
    if (i % 12 === 0)
      lines.push(`# HELP node_other_${i}_total Something else.`, `# TYPE node_other_${i}_total counter`);
    lines.push(
      `node_other_${i - (i % 12)}_total{device="eth${i % 12}",state="ESTABLISHED"} ${1_000 * i + second}`,
    );
  }
  for (let cpu = 0; cpu < cores; cpu++)
    for (const mode of modes)
      lines.push(`node_cpu_seconds_total{cpu="${cpu}",mode="${mode}"} ${second * 0.1}`);
  for (const device of ['sda', 'sdb', 'nvme0n1'])
    lines.push(`node_disk_io_time_seconds_total{device="${device}"} ${second * 0.2}`);
  for (const device of ['lo', 'eth0', 'eth1'])
    for (const what of ['receive_bytes_total', 'transmit_bytes_total', 'speed_bytes'])
      lines.push(
        `node_network_${what}{device="${device}"} ${what === 'speed_bytes' ? 1.25e9 : second * 1e6}`,
      );
  lines.push('node_memory_MemAvailable_bytes 8e+09', 'node_memory_MemTotal_bytes 1.6e+10', '');
  return lines.join('\n');
}

const PAGES: Readonly<Record<string, (second: number) => string>> = {
  'leaseway agent': () =>
    ['cpu', 'memory', 'network', 'disk']
      .map(
        kind => `# TYPE leaseway_agent_${kind}_utilization gauge\nleaseway_agent_${kind}_utilization 0.25\n`,
      )
      .join(''),
  'node_exporter, 8 processors': second => nodePage(8, second),
  'node_exporter, 64 processors': second => nodePage(64, second),
};

async function serve(): Promise<void> {
  const texts = Object.values(PAGES).map(page => [page(100), page(105)]);
  let n = 0;
  const server = http.createServer((request, response) => {
    response.end(texts[Number(request.url!.slice(1))]![n++ % 2]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send!((server.address() as AddressInfo).port);
  process.on('disconnect', () => process.exit(0));
}

async function measure(): Promise<void> {
  const child = fork(import.meta.filename, { env: { ...process.env, SCRAPE_SERVER: '1' } });
  const [port] = (await once(child, 'message')) as [number];
  const config = Cluster.parse({ signals: [{ scrape: `http://{host}:${port}/metrics` }] }).signals[0]!
    .scrape!;
  const tls = { files: { context: () => undefined } as never, verify: false, clock: systemClock };
  for (const [index, [name, page]] of Object.entries(PAGES).entries()) {
    const scrapers = Array.from(
      { length: AT_ONCE },
      () => new Scraper({ ...config, url: `http://127.0.0.1:${port}/${index}` }, new URL('http://127.0.0.1')),
    );
    const one = async (scraper: Scraper, count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const { page: read } = await scraper.fetch(tls, AbortSignal.timeout(10_000));
        scraper.values(read, performance.now(), () => {});
      }
    };
    await Promise.all(scrapers.map(scraper => one(scraper, 4)));
    const before = process.cpuUsage();
    await Promise.all(scrapers.map(scraper => one(scraper, Math.ceil(pages / AT_ONCE))));
    const { user, system } = process.cpuUsage(before);
    const eachMs = (user + system) / 1000 / (Math.ceil(pages / AT_ONCE) * AT_ONCE);
    const share = (eachMs * backends) / INTERVAL_MS;
    process.stdout.write(
      `${name.padEnd(30)} ${(page(100).length / 1024).toFixed(0).padStart(4)} KiB  ${eachMs.toFixed(2)} ms of CPU a page, ` +
        `${(100 * share).toFixed(0)} % of a core for ${backends} backends each ${INTERVAL_MS / 1000} s\n`,
    );
  }
  child.disconnect();
}

await (process.env.SCRAPE_SERVER === undefined ? measure() : serve());
