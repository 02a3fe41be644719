// Pages take their share of the control thread and no more: above it all are asked for less often.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { Cluster } from '../../../lib/config/cluster.ts';
import { CheckSchedule } from '../../../lib/control/backend/health/schedule.ts';
import { CheckTls } from '../../../lib/control/backend/health/tls.ts';
import { SignalBoard } from '../../../lib/control/signals/board.ts';
import { ScrapeBudget } from '../../../lib/control/signals/scrape-budget.ts';
import { startSources } from '../../../lib/control/signals/sources.ts';
import { systemClock } from '../../../lib/core/clock.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { until } from '../../support/until.ts';

t.test('intervals grow by as much as the pages cost too much', async t => {
  const budget = new ScrapeBudget();
  const pages = Array.from({ length: 4_096 }, () => ({}));
  for (const page of pages) budget.read(page, 0.25, 5_000);
  t.equal(budget.stretch, 1, '0.55 ms each are 45 % of a core');
  for (let i = 0; i < 20; i++) for (const page of pages) budget.read(page, 1.7, 5_000);
  t.ok(Math.abs(budget.stretch - 3.28) < 0.05, `2 ms each are 164 %: ${budget.stretch}`);
  for (const page of pages.slice(0, 3_072)) budget.forget(page);
  t.equal(budget.stretch, 1);
  for (const page of pages) budget.forget(page);
  budget.read({}, 0, 5_000);
  t.equal(budget.stretch, 1);
});

t.test('a page is asked for by the interval that there is time for', async t => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end('leaseway_agent_cpu_utilization 0.25\n');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const config = Cluster.parse({
    backends: [url],
    signals: [{ scrape: { url: `${url}/`, interval: '100ms' } }],
  });
  const log = new MemoryLog();
  const budget = new ScrapeBudget();
  const others = {};
  budget.read(others, 10_000, 1_000);
  const record = new SignalBoard().begin('web', 'one');
  const sources = startSources(new URL(url), config, record, {
    ...{
      clock: systemClock,
      random: seededRandom(1),
      tls: new CheckTls(config.tls, systemClock, log),
      budget,
    },
    ...{ schedule: new CheckSchedule(systemClock, seededRandom(1)), ok: () => {}, failed: () => {} },
  });
  t.teardown(() => {
    for (const source of sources) source[Symbol.dispose]();
    server.close();
  });
  await until('the page was read', () => record.signals.cpu !== null);
  t.ok(budget.stretch > 19);
  const before = asked;
  await new Promise(resolve => setTimeout(resolve, 600));
  t.ok(asked - before <= 1, `asked ${asked - before} times in 600 ms, at 100 ms times 20`);
  budget.forget(others);
  await until('it is asked for again as configured', () => asked - before >= 5);
});
