// What the kernel says of the machine, or of the container this runs in: texts of /proc, /sys and cgroups as numbers. Linux.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Counters and gauges of one moment; null where the kernel does not say. */
export interface MachineReading {
  /** Processor time used and there to be used, both rising; in the same unit. */
  readonly cpu: { readonly used: number; readonly available: number } | null;
  readonly memory: { readonly used: number; readonly total: number } | null;
  /** By device that has a speed. */
  readonly network: Readonly<
    Record<string, { readonly received: number; readonly sent: number; readonly bytesPerSecond: number }>
  >;
  /** Milliseconds in which each whole disk was at work. */
  readonly disks: Readonly<Record<string, number>>;
  /** Established to the backend's port. */
  readonly connections: number | null;
}

export interface MachineOptions {
  /** In place of `/`, for tests. */
  readonly root: string;
  /** The backend's; 0 for none. */
  readonly port: number;
  /** Bytes a second where a device does not tell its speed; 0 for unknown. */
  readonly networkSpeed: number;
  readonly nowMs: number;
}

export function readMachine({ root, port, networkSpeed, nowMs }: MachineOptions): MachineReading {
  const text = (path: string): string | null => {
    try {
      return readFileSync(join(root, path), 'utf8');
    } catch {
      // Another kernel, another container: what is not there is not said.
      return null;
    }
  };
  return {
    cpu: cgroupCpu(text, nowMs) ?? procCpu(text('proc/stat')),
    memory: cgroupMemory(text) ?? procMemory(text('proc/meminfo')),
    network: networks(text, networkSpeed),
    disks: disks(text),
    connections: port === 0 ? null : connectionsTo(port, [text('proc/net/tcp'), text('proc/net/tcp6')]),
  };
}

type Text = (path: string) => string | null;

/** `user nice system idle iowait irq softirq steal …` in ticks; waiting for a disk is idle. */
function procCpu(stat: string | null): MachineReading['cpu'] {
  const ticks = /^cpu +(.*)$/m
    .exec(stat ?? '')?.[1]
    ?.split(' ')
    .slice(0, 8)
    .map(Number);
  if (ticks === undefined || ticks.length < 8 || ticks.some(Number.isNaN)) return null;
  const all = ticks.reduce((sum, tick) => sum + tick, 0);
  return { used: all - ticks[3]! - ticks[4]!, available: all };
}

/** Only where there is a quota: without one the machine's own figures count. */
function cgroupCpu(text: Text, nowMs: number): MachineReading['cpu'] {
  const [quota, period] = (text('sys/fs/cgroup/cpu.max') ?? '').split(' ').map(Number);
  const usedUs = Number(/^usage_usec (\d+)$/m.exec(text('sys/fs/cgroup/cpu.stat') ?? '')?.[1]);
  if (quota! > 0 && period! > 0 && usedUs >= 0)
    return { used: usedUs / 1000, available: (nowMs * quota!) / period! };
  const quotaV1 = Number(text('sys/fs/cgroup/cpu/cpu.cfs_quota_us') ?? Number.NaN);
  const periodV1 = Number(text('sys/fs/cgroup/cpu/cpu.cfs_period_us') ?? Number.NaN);
  const usedNs = Number(text('sys/fs/cgroup/cpuacct/cpuacct.usage') ?? Number.NaN);
  if (quotaV1 > 0 && periodV1 > 0 && usedNs >= 0)
    return { used: usedNs / 1e6, available: (nowMs * quotaV1) / periodV1 };
  return null;
}

function procMemory(meminfo: string | null): MachineReading['memory'] {
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo ?? '')?.[1]);
  const total = kilobytes('MemTotal') * 1024;
  const free = kilobytes('MemAvailable') * 1024;
  return total > 0 && free >= 0 ? { used: total - free, total } : null;
}

/** What the kernel may drop at will (`inactive_file`) is not in use. A limit beyond the machine's memory is none. */
function cgroupMemory(text: Text): MachineReading['memory'] {
  const machine = procMemory(text('proc/meminfo'))?.total ?? Number.POSITIVE_INFINITY;
  for (const [limitFile, usedFile, statFile, name] of [
    ['memory.max', 'memory.current', 'memory.stat', 'inactive_file'],
    [
      'memory/memory.limit_in_bytes',
      'memory/memory.usage_in_bytes',
      'memory/memory.stat',
      'total_inactive_file',
    ],
  ] as const) {
    const total = Number(text(`sys/fs/cgroup/${limitFile}`) ?? Number.NaN);
    const used = Number(text(`sys/fs/cgroup/${usedFile}`) ?? Number.NaN);
    if (!(total > 0 && total < machine && used >= 0)) continue;
    const stat = text(`sys/fs/cgroup/${statFile}`) ?? '';
    const droppable = Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
    return { used: Math.max(0, used - droppable), total };
  }
  return null;
}

function networks(text: Text, fallback: number): MachineReading['network'] {
  const found: Record<string, MachineReading['network'][string]> = {};
  for (const [, name, figures] of (text('proc/net/dev') ?? '').matchAll(/^ *([\w.@-]+): *(.*)$/gm)) {
    if (name === 'lo') continue;
    const columns = figures!.trim().split(/ +/).map(Number);
    // Megabits; -1 or nothing for devices that have no speed.
    const megabits = Number(text(`sys/class/net/${name}/speed`) ?? -1);
    const bytesPerSecond = megabits > 0 ? megabits * 125_000 : fallback;
    if (bytesPerSecond > 0) found[name!] = { received: columns[0]!, sent: columns[8]!, bytesPerSecond };
  }
  return found;
}

/** Whole disks are those that have a place of their own in /sys/block; loop and ram devices are none. */
function disks(text: Text): MachineReading['disks'] {
  const found: Record<string, number> = {};
  for (const line of (text('proc/diskstats') ?? '').split('\n')) {
    const columns = line.trim().split(/ +/);
    const name = columns[2];
    if (name === undefined || /^(loop|ram)/.test(name) || text(`sys/block/${name}/stat`) === null) continue;
    const busyMs = Number(columns[12]);
    if (busyMs >= 0) found[name] = busyMs;
  }
  return found;
}

const ESTABLISHED = '01';

/** `sl local_address rem_address st …`, addresses as hexadecimal. */
function connectionsTo(port: number, tables: readonly (string | null)[]): number | null {
  if (tables.every(table => table === null)) return null;
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let count = 0;
  for (const table of tables)
    for (const line of (table ?? '').split('\n')) {
      const [, local, , state] = line.trim().split(/ +/);
      if (state === ESTABLISHED && local!.endsWith(ending)) count += 1;
    }
  return count;
}
