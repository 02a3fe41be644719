import t from 'tap';
import { type MetricsInput, renderMetrics } from '../../../lib/control/admin/metrics.ts';
import { readProcess } from '../../../lib/control/admin/process-reading.ts';
import { DURATION_BOUNDS_S, type HistogramView } from '../../../lib/scoreboard/ports.ts';
import { FakeControl, fakeBackend } from '../../support/fake-control.ts';
import { parsePrometheus } from '../../support/prometheus.ts';

const histogram = (...at: [bucket: number, count: number][]): HistogramView => {
  const counts = new Array<number>(DURATION_BOUNDS_S.length + 1).fill(0);
  for (const [bucket, count] of at) counts[bucket] = count;
  return { counts, sumS: 1.5, bytesIn: 10, bytesOut: 20 };
};

const input = (more: Partial<MetricsInput> = {}): MetricsInput => ({
  status: new FakeControl().status_,
  routes: ['api', 'all'],
  forecasts: [],
  training: new FakeControl().forecasts.training(),
  sessions: { clusters: [], counts: [] },
  board: {
    requestHistogram: (route, statusClass) =>
      route === 0 && statusClass === 2 ? histogram([0, 3], [14, 1]) : histogram(),
    backendHistogram: slot => histogram([1, slot]),
    permits: slot => slot * 10,
    shed: (reason, priority) => (reason === 'late' ? priority + 1 : 0),
    waits: priority => histogram([2, priority]),
    totals: slot => ({
      attempts: 10,
      successes: 6 + slot,
      serverErrors: 2,
      failures: 1,
      cancelled: 1,
      consecutiveFailures: 0,
      latencySumMs: 99,
      bytesIn: 0,
      bytesOut: 0,
      loadReports: 4,
      loadValuesRefused: 1,
    }),
  },
  process: {
    cpuSeconds: 1.25,
    residentBytes: 1e8,
    startTimeSeconds: 1_700_000_000.5,
    openFds: 33,
    maxFds: 1024,
    nodeVersion: 'v24.21.0',
  },
  ...more,
});

t.test('what was shed by why and priority, waits by priority, and the limit in force', async t => {
  const families = parsePrometheus(renderMetrics(input()));
  const shed = families.get('leaseway_shed_total')!.samples;
  t.equal(shed.length, 20);
  t.equal(shed.find(({ labels }) => labels.reason === 'late' && labels.priority === 'critical')!.value, 4);
  t.equal(families.get('leaseway_queue_wait_seconds')!.type, 'histogram');
  t.equal(families.get('leaseway_backend_concurrency_limit')!.samples.length, 3);
});

t.test('the text is what a strict scraper accepts, with these types', async t => {
  const families = parsePrometheus(renderMetrics(input()));
  const types = Object.fromEntries([...families].map(([name, { type }]) => [name, type]));
  t.match(types, {
    http_server_request_duration_seconds: 'histogram',
    http_client_request_duration_seconds: 'histogram',
    http_server_active_requests: 'gauge',
    leaseway_request_body_bytes_total: 'counter',
    leaseway_backend_state: 'gauge',
    leaseway_backend_weight: 'gauge',
    leaseway_backend_in_flight: 'gauge',
    leaseway_backend_tunnels: 'gauge',
    leaseway_backend_attempts_total: 'counter',
    leaseway_worker_connections: 'gauge',
    leaseway_worker_lease_tokens_rejected_total: 'counter',
    leaseway_worker_h2_goaways_sent_total: 'counter',
    leaseway_config_last_reload_success: 'gauge',
    leaseway_build_info: 'gauge',
    process_cpu_seconds_total: 'counter',
    process_resident_memory_bytes: 'gauge',
    process_open_fds: 'gauge',
    process_start_time_seconds: 'gauge',
  });
  for (const { name, help, unit } of families.values()) {
    t.ok(help.length > 5, `${name} has help`);
    if (/_(seconds|bytes)(_total)?$/.test(name)) t.ok(unit, `${name} has a unit`);
  }
});

t.test('requests are counted by route and class, and only what happened is written', async t => {
  const family = parsePrometheus(renderMetrics(input())).get('http_server_request_duration_seconds')!;
  const labels = { http_route: 'api', http_response_status_class: '2xx' };
  t.equal(family.samples.length, DURATION_BOUNDS_S.length + 3);
  t.match(family.samples[0], { labels: { ...labels, le: '0.005' }, value: 3 });
  t.match(family.samples.at(-3), { labels: { ...labels, le: '+Inf' }, value: 4 });
  t.match(family.samples.at(-2), { name: 'http_server_request_duration_seconds_sum', labels, value: 1.5 });
});

t.test('backends have their address, outcome and state as labels', async t => {
  const families = parsePrometheus(renderMetrics(input()));
  const duration = families.get('http_client_request_duration_seconds')!.samples;
  t.match(
    duration.find(({ labels }) => labels.backend === 'chat-1'),
    { labels: { cluster: 'chat', server_address: '[::1]', server_port: '9003' } },
  );
  const attempts = families.get('leaseway_backend_attempts_total')!.samples;
  t.match(
    attempts
      .filter(({ labels }) => labels.backend === 'web-2')
      .map(({ labels, value }) => [labels.outcome, value]),
    [
      ['success', 7],
      ['server_error', 2],
      ['failure', 1],
      ['cancelled', 1],
    ],
  );
  const states = families
    .get('leaseway_backend_state')!
    .samples.filter(({ labels }) => labels.backend === 'web-1');
  t.same(
    states.map(({ labels, value }) => [labels.state, value]),
    [
      ['up', 1],
      ['draining', 0],
      ['down', 0],
      ['maintenance', 0],
    ],
  );
  t.equal(families.get('leaseway_backend_permits')!.samples[2]!.value, 20);
});

t.test('names that nobody should choose stay inside their labels', async t => {
  const status = new FakeControl({ backends: [fakeBackend('a"b', 'c\\d\ne')] }).status_;
  const families = parsePrometheus(renderMetrics(input({ status, routes: ['x"} 1\n'] })));
  t.match(families.get('leaseway_backend_weight')!.samples, [
    { labels: { cluster: 'a"b', backend: 'c\\d\ne' } },
  ]);
  t.match(families.get('http_server_request_duration_seconds')!.samples[0], {
    labels: { http_route: 'x"} 1\n' },
  });
});

t.test('two scrapes of one state are the same text', async t => {
  t.equal(renderMetrics(input()), renderMetrics(input()));
});

t.test('a refused reload and a stopping process show', async t => {
  const value = (more: object, name: string) =>
    parsePrometheus(renderMetrics(input({ status: new FakeControl(more).status_ }))).get(name)!.samples[0]!
      .value;
  t.equal(value({}, 'leaseway_config_last_reload_success'), 1);
  t.equal(value({ reloadProblems: ['x'] }, 'leaseway_config_last_reload_success'), 0);
  t.equal(value({}, 'leaseway_ready'), 1);
  t.equal(value({ stopping: true }, 'leaseway_ready'), 0);
});

t.test('the process is read from the system', async t => {
  const reading = readProcess(1_700_000_000_500);
  t.equal(reading.startTimeSeconds, 1_700_000_000.5);
  t.ok(reading.residentBytes > 1e7 && reading.cpuSeconds > 0);
  if (process.platform === 'linux') t.ok(reading.openFds! > 2 && reading.maxFds! >= reading.openFds!);
});
