// What stands for which kind of load on a page of metrics: as configured, or as known exporters write it.
//
// Two steps, so that little is kept between scrapes: a rule takes a few numbers from a page, and makes the load of those of
// now and those of before. Counters that fell have begun anew; that once there is no value.

import type { ScrapeConfig, ScrapeMetric } from '../../config/signals.ts';
import { hash32 } from '../../core/hash.ts';
import { SIGNAL_KINDS, SIGNAL_NAMES, type SignalKind } from '../../core/signal-kinds.ts';
import { labelsOf, type Page, type Sample } from './page.ts';

export interface Rule {
  readonly kind: SignalKind;
  /** Names of the metrics that are looked at. */
  readonly needs: readonly string[];
  /** Null when the page has not what is needed. */
  take(page: Page): readonly number[] | null;
  /** Null when it cannot be said (yet). */
  value(now: readonly number[], before: readonly number[] | null, elapsedS: number): number | null;
}

/** What is done with devices and processors beyond: nothing. */
const MOST_DEVICES = 64;

export function rulesOf({ metrics }: Pick<ScrapeConfig, 'metrics'>): readonly Rule[] {
  if (metrics === undefined) return KNOWN;
  return SIGNAL_NAMES.flatMap((name, index) => {
    const metric = metrics[name];
    return metric === undefined ? [] : [configured(SIGNAL_KINDS[index]!, metric)];
  });
}

// ── as configured ────────────────────────────────────────────────────────────────────────────────────────────

interface Selector {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
}

function selectorOf(text: string): Selector {
  const brace = text.indexOf('{');
  if (brace < 0) return { name: text, labels: [] };
  return { name: text.slice(0, brace), labels: Object.entries(labelsOf(text.slice(brace + 1, -1)) ?? {}) };
}

const matches = ({ labels }: Sample, wanted: Selector['labels']): boolean =>
  wanted.every(([label, value]) => labels[label] === value);

/** Summed over all series that match. */
function sumOf(page: Page, { name, labels }: Selector): number | null {
  const found = (page.get(name) ?? []).filter(sample => matches(sample, labels));
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

function configured(kind: SignalKind, { metric, of, rate, scale }: ScrapeMetric): Rule {
  const above = selectorOf(metric);
  const below = of === undefined ? null : selectorOf(of);
  return {
    kind,
    needs: below === null ? [above.name] : [above.name, below.name],
    take(page) {
      const top = sumOf(page, above);
      const bottom = below === null ? 1 : sumOf(page, below);
      return top === null || bottom === null ? null : [top, bottom];
    },
    value(now, before, elapsedS) {
      const top = rate ? rateOf(now[0]!, before?.[0], elapsedS) : now[0]!;
      return top === null || now[1]! === 0 ? null : (scale * top) / now[1]!;
    },
  };
}

// ── as known exporters have it ───────────────────────────────────────────────────────────────────────────────

const rateOf = (now: number, before: number | undefined, elapsedS: number): number | null =>
  before === undefined || now < before || elapsedS <= 0 ? null : (now - before) / elapsedS;

/** A gauge that says it outright. */
const gauge = (kind: SignalKind, name: string): Rule => ({
  kind,
  needs: [name],
  take: page => {
    const value = sumOf(page, { name, labels: [] });
    return value === null ? null : [value];
  },
  value: now => now[0]!,
});

/** Waiting for a disk is no work. Time that a hypervisor took is not there to be used, so it counts as used. */
const IDLE = new Set(['idle', 'iowait']);
/** Counted within `user` and `nice` already. */
const TWICE = new Set(['guest', 'guest_nice']);

const nodeCpu: Rule = {
  kind: 'cpu',
  needs: ['node_cpu_seconds_total'],
  take(page) {
    const samples = page.get('node_cpu_seconds_total');
    if (samples === undefined) return null;
    let busy = 0;
    let all = 0;
    for (const { labels, value } of samples) {
      if (TWICE.has(labels.mode ?? '')) continue;
      all += value;
      if (!IDLE.has(labels.mode ?? '')) busy += value;
    }
    return [busy, all];
  },
  value(now, before) {
    const busy = rateOf(now[0]!, before?.[0], 1);
    const all = rateOf(now[1]!, before?.[1], 1);
    // Rounding of the modes may let the sum of the idle ones fall a little.
    return busy === null || all === null || all === 0 ? null : Math.min(1, busy / all);
  },
};

const nodeMemory: Rule = {
  kind: 'memory',
  needs: ['node_memory_MemAvailable_bytes', 'node_memory_MemTotal_bytes'],
  take(page) {
    const free = page.get('node_memory_MemAvailable_bytes')?.[0];
    const total = page.get('node_memory_MemTotal_bytes')?.[0];
    return free === undefined || total === undefined ? null : [free.value, total.value];
  },
  value: now => (now[1]! > 0 ? 1 - now[0]! / now[1]! : null),
};

/** Numbers by device, in the order of their names, so that two pages can be compared; a name is kept as its hash. */
function byDevice(page: Page, names: readonly string[]): readonly number[] | null {
  const devices = new Map<string, number[]>();
  for (const [column, name] of names.entries())
    for (const { labels, value } of page.get(name) ?? []) {
      const device = labels.device ?? '';
      const row = devices.get(device) ?? new Array<number>(names.length).fill(Number.NaN);
      row[column] = value;
      if (devices.has(device) || devices.size < MOST_DEVICES) devices.set(device, row);
    }
  if (devices.size === 0) return null;
  return [...devices.keys()].sort().flatMap(device => [hash32(device), ...devices.get(device)!]);
}

/** Largest over the devices that are on both pages. */
function largest(
  width: number,
  now: readonly number[],
  before: readonly number[] | null,
  share: (now: readonly number[], before: readonly number[]) => number | null,
): number | null {
  if (before === null) return null;
  const old = new Map<number, readonly number[]>();
  for (let at = 0; at < before.length; at += width) old.set(before[at]!, before.slice(at + 1, at + width));
  let most: number | null = null;
  for (let at = 0; at < now.length; at += width) {
    const then = old.get(now[at]!);
    const value = then === undefined ? null : share(now.slice(at + 1, at + width), then);
    if (value !== null && !(value <= (most ?? -1))) most = value;
  }
  return most;
}

const nodeNetwork: Rule = {
  kind: 'network',
  needs: [
    'node_network_receive_bytes_total',
    'node_network_transmit_bytes_total',
    'node_network_speed_bytes',
  ],
  take(page) {
    return byDevice(page, this.needs);
  },
  value: (now, before, elapsedS) =>
    largest(4, now, before, ([inNow, outNow, speed], [inThen, outThen]) => {
      // Loopback and many virtual devices have no speed, or -1.
      if (!(speed! > 0)) return null;
      const into = rateOf(inNow!, inThen, elapsedS);
      const out = rateOf(outNow!, outThen, elapsedS);
      return into === null || out === null ? null : Math.max(into, out) / speed!;
    }),
};

const nodeDisk: Rule = {
  kind: 'disk',
  needs: ['node_disk_io_time_seconds_total'],
  take(page) {
    return byDevice(page, this.needs);
  },
  value(now, before, elapsedS) {
    const busy = largest(2, now, before, ([time], [then]) => rateOf(time!, then, elapsedS));
    // Two clocks measure the second, so a busy one may seem a little longer.
    return busy === null ? null : Math.min(1, busy);
  },
};

const first = (page: Page, name: string): number | undefined => page.get(name)?.[0]?.value;

/** One container: `labels` has chosen it, or its lines are all there are. More than one is nobody's load. */
const containerCpu: Rule = {
  kind: 'cpu',
  needs: [
    'container_cpu_usage_seconds_total',
    'container_spec_cpu_quota',
    'container_spec_cpu_period',
    'machine_cpu_cores',
  ],
  take(page) {
    const used = page.get('container_cpu_usage_seconds_total');
    if (used === undefined || new Set(used.map(({ labels }) => labels.id ?? '')).size > 1) return null;
    const quota = first(page, 'container_spec_cpu_quota') ?? 0;
    const period = first(page, 'container_spec_cpu_period') ?? 0;
    const cores = quota > 0 && period > 0 ? quota / period : first(page, 'machine_cpu_cores');
    if (cores === undefined || cores <= 0) return null;
    return [used.reduce((sum, { value }) => sum + value, 0), cores];
  },
  value(now, before, elapsedS) {
    const used = rateOf(now[0]!, before?.[0], elapsedS);
    return used === null ? null : used / now[1]!;
  },
};

const containerMemory: Rule = {
  kind: 'memory',
  needs: ['container_memory_working_set_bytes', 'container_spec_memory_limit_bytes', 'machine_memory_bytes'],
  take(page) {
    const used = page.get('container_memory_working_set_bytes');
    if (used?.length !== 1) return null;
    const limit = first(page, 'container_spec_memory_limit_bytes') ?? 0;
    const machine = first(page, 'machine_memory_bytes') ?? 0;
    // No limit is written as 0, or as a number beyond all memory.
    const most = limit > 0 && (machine === 0 || limit < machine) ? limit : machine;
    return most > 0 ? [used[0]!.value, most] : null;
  },
  value: now => now[0]! / now[1]!,
};

/** The first of a kind that has a value counts: one's own word, then the container's, then the machine's. */
const KNOWN: readonly Rule[] = [
  gauge('cpu', 'leaseway_agent_cpu_utilization'),
  gauge('memory', 'leaseway_agent_memory_utilization'),
  gauge('network', 'leaseway_agent_network_utilization'),
  gauge('disk', 'leaseway_agent_disk_utilization'),
  gauge('capacity', 'leaseway_agent_capacity'),
  containerCpu,
  containerMemory,
  nodeCpu,
  nodeMemory,
  nodeNetwork,
  nodeDisk,
];
