// The agent: the kernel's words as numbers, shares of them, and the three ports by which others ask.

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { Agent } from '../../lib/agent/agent.ts';
import { checkLine, orcaReport } from '../../lib/agent/answers.ts';
import { loadBetween } from '../../lib/agent/load.ts';
import { type MachineReading, readMachine } from '../../lib/agent/machine.ts';
import { askedIntervalMs } from '../../lib/agent/serve.ts';
import { systemClock } from '../../lib/core/clock.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { runCli } from '../support/run-cli.ts';

let roots = 0;
function rootOf(t: Test, files: Readonly<Record<string, string>>): string {
  const root = join(t.testdirName, String(roots++));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}
t.testdir();

const MACHINE = {
  'proc/stat': 'cpu  100 20 30 800 50 0 0 0 7 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n',
  'proc/meminfo': 'MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n',
  'proc/net/dev':
    'Inter-|   Receive\n face |bytes\n    lo: 99 0 0 0 0 0 0 0 99 0 0 0 0 0 0 0\n  eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n veth1: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n',
  'sys/class/net/eth0/speed': '1000\n',
  'sys/class/net/veth1/speed': '-1\n',
  'proc/diskstats':
    '   8       0 sda 1 2 3 4 5 6 7 8 0 640 9 0 0\n   8       1 sda1 1 2 3 4 5 6 7 8 0 999 9 0 0\n   7       0 loop0 1 2 3 4 5 6 7 8 0 5 9\n',
  'sys/block/sda/stat': 'x',
  'sys/block/loop0/stat': 'x',
  'proc/net/tcp':
    '  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A\n   1: 0100007F:1F90 0100007F:C000 01\n   2: 0100007F:1F91 0100007F:C000 01\n',
  'proc/net/tcp6': '  sl  local\n   0: 00000000000000000000000001000000:1F90 0000:C001 01\n',
};
const options = { port: 8080, networkSpeed: 0, nowMs: 1_000 };

t.test('a machine without limits is read from /proc', async () => {
  t.same(readMachine({ ...options, root: rootOf(t, MACHINE) }), {
    cpu: { used: 150, available: 1000 },
    memory: { used: 12_000_000 * 1024, total: 16_000_000 * 1024 },
    network: { eth0: { received: 1000, sent: 2000, bytesPerSecond: 125_000_000 } },
    disks: { sda: 640 },
    connections: 2,
  });
});

t.test('a container is read by its limits, in either kind of cgroup', async () => {
  const v2 = readMachine({
    ...options,
    root: rootOf(t, {
      ...MACHINE,
      'sys/fs/cgroup/cpu.max': '50000 100000\n',
      'sys/fs/cgroup/cpu.stat': 'usage_usec 3000000\nuser_usec 1\n',
      'sys/fs/cgroup/memory.max': '1000000\n',
      'sys/fs/cgroup/memory.current': '700000\n',
      'sys/fs/cgroup/memory.stat': 'anon 1\ninactive_file 200000\n',
    }),
  });
  t.same(v2.cpu, { used: 3_000, available: 500 });
  t.same(v2.memory, { used: 500_000, total: 1_000_000 });
  const v1 = readMachine({
    ...options,
    root: rootOf(t, {
      ...MACHINE,
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '200000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/cpuacct/cpuacct.usage': '5000000000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '5\n',
    }),
  });
  t.same(v1.cpu, { used: 5_000, available: 2_000 });
  t.equal(v1.memory!.total, 16_000_000 * 1024, 'a limit beyond the machine is none');
  const free = rootOf(t, { ...MACHINE, 'sys/fs/cgroup/cpu.max': 'max 100000\n' });
  t.equal(readMachine({ ...options, root: free }).cpu!.used, 150, 'no quota, no limit');
});

t.test('a kernel that says nothing, or nonsense, is no failure', async () => {
  const nothing = { cpu: null, memory: null, network: {}, disks: {}, connections: null };
  t.same(readMachine({ ...options, root: rootOf(t, {}) }), nothing);
  const garbage = Object.fromEntries(Object.keys(MACHINE).map(path => [path, '\0garbage\n: x\n']));
  t.match(readMachine({ ...options, root: rootOf(t, garbage) }), { cpu: null, memory: null, disks: {} });
});

const reading = (cpu: number, bytes: number, busyMs: number): MachineReading => ({
  cpu: { used: cpu, available: 10 * cpu },
  memory: { used: 25, total: 100 },
  network: { eth0: { received: bytes, sent: 0, bytesPerSecond: 1_000 } },
  disks: { sda: busyMs, sdb: 0 },
  connections: 3,
});

t.test('two readings make shares', async () => {
  t.same(loadBetween(reading(10, 0, 0), reading(20, 1_000, 600), 2_000), {
    cpu: 0.1,
    memory: 0.25,
    network: 0.5,
    disk: 0.3,
    connections: 3,
  });
  const fell = loadBetween(reading(20, 1_000, 600), reading(10, 0, 0), 2_000);
  t.same([fell.cpu, fell.network, fell.disk], [null, 0, 0], 'counters that fell');
});

t.test('the line never gives the backend no work at all', async () => {
  const load = { cpu: 0.62, memory: null, network: null, disk: null, connections: null };
  t.equal(checkLine({ load, capacity: 0 }), 'up 38%\n');
  t.equal(checkLine({ load: { ...load, cpu: 7 }, capacity: 30 }), 'up 1% maxconn:30\n');
  t.equal(orcaReport({ load: { ...load, cpu: null }, capacity: 0 }).length, 0, 'nothing known, nothing said');
});

t.test('the interval that is asked for is read from the request', async () => {
  const ask = (...message: number[]) =>
    askedIntervalMs(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  t.equal(ask(0x0a, 2, 0x08, 5), 5_000);
  t.equal(ask(0x0a, 6, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01), 500);
  t.equal(ask(), 1_000);
  t.equal(ask(0x12, 1, 0x41), 1_000);
});

t.test('all three ports answer, and a port that is taken is named', async () => {
  const all = {
    ...{ root: '/', port: 0, networkSpeed: 0, capacity: 9, clock: systemClock, intervalMs: 100 },
    ...{ metrics: '127.0.0.1:0', check: '127.0.0.1:0', orca: '127.0.0.1:0' },
  };
  using agent = await Agent.start(all);
  const page = await (await fetch(`http://${agent.serving.metrics}/metrics`)).text();
  t.equal(parsePrometheus(page).get('leaseway_agent_capacity')!.samples[0]!.value, 9);
  t.equal((await fetch(`http://${agent.serving.metrics}/`)).status, 404);
  const line = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(agent.serving.check!.split(':')[1]), '127.0.0.1');
    socket.on('data', chunk => resolve(String(chunk)));
    socket.on('error', reject);
  });
  t.match(line, /^up \d+% maxconn:9\n$/);
  await t.rejects(Agent.start({ ...all, check: agent.serving.check! }), {
    code: 'LISTEN_FAILED',
    message: new RegExp(agent.serving.check!),
  });
});

t.test('the command prints one reading, and says what it cannot do', async () => {
  const one = await runCli(['agent', '--json', '--interval', '100ms', '--capacity', '7']);
  t.equal(one.code, 0, one.err);
  const { capacity, memory } = JSON.parse(one.out);
  t.equal(capacity, 7);
  t.ok(memory > 0 && memory <= 1, one.out);
  t.match(await runCli(['agent', '--metrics', 'off', '--check', 'off', '--orca', 'off']), {
    code: 2,
    err: /nothing to serve/,
  });
  t.match(await runCli(['agent', '--metrics', '12']), { code: 2, err: /expected host:port, :port or off/ });
});
