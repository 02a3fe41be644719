// Pages of metrics: read in any pieces, only what is wanted, and made into load as exporters mean it.

import fc from 'fast-check';
import t from 'tap';
import { Signals } from '../../../lib/config/signals.ts';
import { PageReader } from '../../../lib/control/signals/page.ts';
import { Scraper } from '../../../lib/control/signals/scrape.ts';

const all = () =>
  new PageReader(
    name => name.startsWith('w_'),
    () => true,
  );

function pageOf(text: string, pieces: readonly number[] = []) {
  const reader = all();
  let rest = Buffer.from(text);
  for (const length of pieces) {
    reader.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  reader.push(rest);
  const page = Object.fromEntries(
    [...reader.end()].map(([name, samples]) => [
      name,
      samples.map(({ labels, value }) => [{ ...labels }, value] as const),
    ]),
  );
  return { page, refused: reader.refused };
}

const PAGE = `# HELP w_a of a
# TYPE w_a gauge
w_a 1.5
w_b{x="1",y="a \\"b\\" \\\\ \\n }"} 2e3 1395066363000
w_b{x="2",} -4
other{x="1"} 7
w_c{} 9
  w_ind 1
w_last{город="Київ"} 3`;

t.test('names, labels, values, times, comments', async t => {
  const { page, refused } = pageOf(PAGE.replace('город', 'city'));
  t.same(page, {
    w_a: [[{}, 1.5]],
    w_b: [
      [{ x: '1', y: 'a "b" \\ \n }' }, 2000],
      [{ x: '2' }, -4],
    ],
    w_c: [[{}, 9]],
    w_last: [[{ city: 'Київ' }, 3]],
  });
  t.equal(refused, 0);
});

t.test('the pieces in which it arrives do not matter', async t => {
  const text = PAGE.replace('город', 'city');
  const whole = pageOf(text);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }), pieces => {
      t.same(pageOf(text, pieces), whole);
    }),
    { numRuns: 100 },
  );
});

t.test('what is no sample is refused by itself', async t => {
  const { page, refused } = pageOf(
    'w_a NaN\nw_b +Inf\nw_c\nw_d{x="1" 3\nw_e{x=1} 3\nw_f abc\nw_g 1\n\n\x00\xff\n}{\n',
  );
  t.same(page, { w_g: [[{}, 1]] });
  t.equal(refused, 6);
});

t.test('a line without end is not kept, and those behind it are read', async t => {
  const { page, refused } = pageOf(`w_a ${'9'.repeat(100_000)}\nw_b 1\n`, new Array(20).fill(5_000));
  t.same(page, { w_b: [[{}, 1]] });
  t.equal(refused, 1);
});

t.test('whatever arrives, nothing throws', async t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), chunks => {
      const reader = new PageReader(
        () => true,
        () => true,
      );
      for (const chunk of chunks) reader.push(Buffer.from(chunk));
      reader.end();
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

/** What one page after the other, `everyMs` apart, comes to. */
function loads(signals: unknown, pages: readonly string[], everyMs = 1_000) {
  const config = Signals.parse([signals])[0]!.scrape!;
  const scraper = new Scraper(config, new URL('http://10.0.0.7:8080'));
  return pages.map((text, i) => {
    const reader = scraper.reader();
    reader.push(Buffer.from(text));
    const found: Record<string, number> = {};
    scraper.values(reader.end(), 1_000 + i * everyMs, (kind, value) => {
      found[kind] = Math.round(value * 1e4) / 1e4;
    });
    return found;
  });
}
const URL_ = 'http://{host}:9100/metrics';

t.test('node_exporter: CPU as a rate over its modes, memory, the busiest network and disk', async t => {
  const page = (user: number, idle: number, bytes: number, io: number) => `
node_cpu_seconds_total{cpu="0",mode="idle"} ${idle}
node_cpu_seconds_total{cpu="0",mode="iowait"} 5
node_cpu_seconds_total{cpu="0",mode="user"} ${user}
node_cpu_seconds_total{cpu="1",mode="idle"} ${idle}
node_cpu_seconds_total{cpu="1",mode="system"} 10
node_cpu_guest_seconds_total{cpu="0",mode="user"} 0
node_memory_MemTotal_bytes 1.6e+10
node_memory_MemAvailable_bytes 4e+09
node_network_receive_bytes_total{device="eth0"} ${bytes}
node_network_transmit_bytes_total{device="eth0"} 0
node_network_speed_bytes{device="eth0"} 1.25e+08
node_network_receive_bytes_total{device="lo"} ${bytes * 100}
node_network_transmit_bytes_total{device="lo"} 0
node_disk_io_time_seconds_total{device="sda"} ${io}
node_disk_io_time_seconds_total{device="sdb"} 1
`;
  t.same(
    loads({ scrape: URL_ }, [page(100, 500, 0, 7), page(102, 501, 2.5e8, 7.6), page(50, 100, 1, 0)], 2_000),
    [
      { memory: 0.75 },
      // 2 busy of 4 seconds of two processors; 125 MB/s of 125 MB/s; 0.6 s of 2 s.
      { cpu: 0.5, memory: 0.75, network: 1, disk: 0.3 },
      // The machine was started again: counters that fell say nothing this once.
      { memory: 0.75, disk: 0 },
    ],
  );
});

t.test('cAdvisor: the container that the labels choose, against its limits or the machine', async t => {
  const page = (used: number, quota: string) => `
machine_cpu_cores 8
machine_memory_bytes 1.6e+10
container_cpu_usage_seconds_total{cpu="total",id="/a",name="app"} ${used}
container_cpu_usage_seconds_total{cpu="total",id="/b",name="db"} ${used * 9}
${quota}
container_memory_working_set_bytes{id="/a",name="app"} 5e+08
container_spec_memory_limit_bytes{id="/a",name="app"} 1e+09
container_memory_working_set_bytes{id="/b",name="db"} 8e+09
`;
  const limits =
    'container_spec_cpu_quota{id="/a",name="app"} 200000\ncontainer_spec_cpu_period{id="/a",name="app"} 100000';
  const chosen = { scrape: { url: URL_, labels: { name: 'app' } } };
  t.same(loads(chosen, [page(10, limits), page(11, limits)]), [{ memory: 0.5 }, { cpu: 0.5, memory: 0.5 }]);
  t.same(loads(chosen, [page(10, ''), page(14, '')])[1], { cpu: 0.5, memory: 0.5 }, 'of eight cores');
  t.same(loads({ scrape: URL_ }, [page(10, limits), page(11, limits)])[1], {}, 'not all containers as one');
});

t.test('an application’s own metrics, as configured', async t => {
  const config = {
    scrape: {
      url: URL_,
      metrics: {
        cpu: { metric: 'process_cpu_seconds_total', rate: true },
        memory: { metric: 'heap_used', of: 'heap_limit' },
        application: { metric: 'busy_percent', scale: 0.01 },
        in_flight: 'requests{state="running"}',
        requests_per_second: { metric: 'requests_total', rate: true },
      },
    },
  };
  const page = (cpu: number, total: number) => `
process_cpu_seconds_total ${cpu}
heap_used 25
heap_limit 100
busy_percent 40
requests{state="running",pool="a"} 3
requests{state="running",pool="b"} 4
requests{state="waiting",pool="a"} 90
requests_total{code="200"} ${total}
requests_total{code="500"} 10
`;
  t.same(loads(config, [page(1, 100), page(1.5, 300)], 2_000), [
    { memory: 0.25, application: 0.4, inFlight: 7 },
    { cpu: 0.25, memory: 0.25, application: 0.4, inFlight: 7, requestsPerSecond: 100 },
  ]);
  t.same(loads(config, ['heap_used 1\nheap_limit 0\n'])[0], {}, 'divided by nothing');
});

t.test('the backend’s host and port stand in the URL', async t => {
  const scraper = (backend: string, url: string) =>
    new Scraper(Signals.parse([{ scrape: url }])[0]!.scrape!, new URL(backend)).url;
  t.equal(scraper('http://10.0.0.7:8080', 'http://{host}:{port}/m'), 'http://10.0.0.7:8080/m');
  t.equal(scraper('https://[::1]', 'http://{host}:9100/m?port={port}'), 'http://[::1]:9100/m?port=443');
});
