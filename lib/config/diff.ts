// What a reload would change, by name: for the operator's eyes and for those who apply it.

import { isDeepStrictEqual } from 'node:util';
import { formatPath } from './problem.ts';
import { type ProxyConfig, type RouteConfig, routeName } from './proxy.ts';

export interface NameChanges {
  readonly added: ReadonlySet<string>;
  readonly changed: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
}

export interface ConfigDiff {
  /** `+ cluster chat`, `~ route api: timeout`, `- listener :8080`; empty when nothing changed. No values: they may be secret. */
  readonly changes: readonly string[];
  /** By address; further ones on the same address (port 0) as `127.0.0.1:0#2`. */
  readonly listeners: NameChanges;
  /** By `routeName`. */
  readonly routes: NameChanges;
  readonly clusters: NameChanges;
  /** What a running process cannot take on, in sentences; until then the old value stays. */
  readonly needsRestart: readonly string[];
}

type Named = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

export function diffConfig(before: ProxyConfig, after: ProxyConfig): ConfigDiff {
  const lines: string[] = [];
  const compare = (kind: string, old: Named, now: Named): NameChanges => {
    const added = new Set([...now.keys()].filter(name => !old.has(name)));
    const removed = new Set([...old.keys()].filter(name => !now.has(name)));
    const changed = new Set<string>();
    for (const name of added) lines.push(`+ ${kind} ${name}`);
    for (const [name, value] of now) {
      const keys = old.has(name) ? changedKeys(old.get(name)!, value) : [];
      if (keys.length === 0) continue;
      changed.add(name);
      lines.push(`~ ${kind} ${name}: ${keys.join(', ')}`);
    }
    for (const name of removed) lines.push(`- ${kind} ${name}`);
    return { added, changed, removed };
  };
  const listeners = compare('listener', byAddress(before), byAddress(after));
  const routes = compare('route', byName(before.routes), byName(after.routes));
  const order = orderOf(before.routes, after.routes);
  if (order) lines.push('~ order of routes');
  const clusters = compare('cluster', asMap(before.clusters), asMap(after.clusters));
  for (const key of changedKeys(before, after))
    if (key !== 'listeners' && key !== 'routes' && key !== 'clusters')
      lines.push(`~ ${key}${inner(before, after, key)}`);
  return { changes: lines, listeners, routes, clusters, needsRestart: restarts(before, after) };
}

const asMap = (record: Readonly<Record<string, object>>): Named =>
  new Map(Object.entries(record)) as unknown as Named;

function byAddress({ listeners }: ProxyConfig): Named {
  const named = new Map<string, ProxyConfig['listeners'][number]>();
  const times = new Map<string, number>();
  for (const listener of listeners) {
    const nth = (times.get(listener.address) ?? 0) + 1;
    times.set(listener.address, nth);
    named.set(nth === 1 ? listener.address : `${listener.address}#${nth}`, listener);
  }
  return named;
}

const byName = (routes: readonly RouteConfig[]): Named =>
  new Map(routes.map((route, i) => [routeName(route, i), route]));

/** Did routes that are in both change places? The first that matches is taken, so it matters. */
function orderOf(before: readonly RouteConfig[], after: readonly RouteConfig[]): boolean {
  const [old, now] = [before.map(routeName), after.map(routeName)];
  const [inOld, inNow] = [new Set(old), new Set(now)];
  return !isDeepStrictEqual(
    old.filter(n => inNow.has(n)),
    now.filter(n => inOld.has(n)),
  );
}

function changedKeys(before: object, after: object): string[] {
  const [old, now] = [before, after] as unknown as [Record<string, unknown>, Record<string, unknown>];
  const keys = new Set([...Object.keys(old), ...Object.keys(now)]);
  return [...keys].filter(key => !isDeepStrictEqual(old[key], now[key]));
}

/** `: level, format` below a section, nothing for a scalar. */
function inner(before: ProxyConfig, after: ProxyConfig, key: string): string {
  const [old, now] = [before[key as keyof ProxyConfig], after[key as keyof ProxyConfig]] as unknown[];
  const isMap = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap(old) && isMap(now) ? `: ${changedKeys(old, now).join(', ')}` : '';
}

/** Fixed when the process starts: the size of its shared memory, its threads, who speaks HTTP/1.1, the folder it holds the lock of. */
const AT_START = [['workers'], ['max_backends'], ['http1'], ['state', 'dir']] as const;

function restarts(before: ProxyConfig, after: ProxyConfig): string[] {
  const read = (config: ProxyConfig, path: readonly string[]): unknown =>
    path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config);
  return AT_START.filter(path => read(before, path) !== read(after, path)).map(path => {
    const [old, now] = [read(before, path), read(after, path)].map(value => String(value ?? 'default'));
    const how =
      path[0] === 'state' ? 'a restart (the lock of the folder is held)' : 'leaseway upgrade, or a restart';
    return `${formatPath(path)}: ${old} → ${now} takes effect with ${how}`;
  });
}
