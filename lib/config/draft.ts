// A configuration as far as it can be understood: what is right of it is cross-checked even while the rest is wrong.

import type * as z from 'zod';
import { Cluster, type ClusterConfig } from './cluster.ts';
import { valueAt } from './describe.ts';
import type { Path } from './problem.ts';
import { Listener, type ListenerConfig, type ProxyConfig, Root, Route, type RouteConfig } from './proxy.ts';

export type Settings = Partial<Omit<ProxyConfig, 'listeners' | 'routes' | 'clusters'>>;
export type RawMap = Readonly<Record<string, unknown>>;

/** Places that failed the schema are undefined; indices and names are those of the files. */
export interface Draft {
  readonly listeners: readonly (ListenerConfig | undefined)[];
  readonly routes: readonly (RouteConfig | undefined)[];
  readonly clusters: ReadonlyMap<string, ClusterConfig | undefined>;
  readonly settings: Settings;
  /** As written, variables filled in. */
  written(path: Path): unknown;
  /** Was it written, rather than filled in by a default? */
  given(path: Path): boolean;
}

export interface Reading {
  readonly draft: Draft;
  /** When the schema has no complaint. */
  readonly config: ProxyConfig | undefined;
  readonly issues: readonly z.core.$ZodIssue[];
}

export const isMapValue = (value: unknown): value is RawMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `partial` when leaseway.yaml itself could not be read: then only clusters are judged. `unread` are clusters that could not be. */
export function readDraft(raw: RawMap, partial: boolean, unread: readonly string[]): Reading {
  const written = (path: Path): unknown => valueAt(raw, path);
  const given = (path: Path): boolean => written(path) !== undefined;
  const whole = partial ? undefined : Root.safeParse(raw);
  const names = isMapValue(raw.clusters) ? Object.keys(raw.clusters) : [];
  const clusters = new Map<string, ClusterConfig | undefined>(unread.map(name => [name, undefined]));
  if (whole?.success) {
    const { listeners, routes, clusters: parsed, ...settings } = whole.data;
    for (const name of names) clusters.set(name, parsed[name]);
    return {
      draft: { listeners, routes, clusters, settings, written, given },
      config: whole.data,
      issues: [],
    };
  }
  const issues: z.core.$ZodIssue[] = [...(whole?.error.issues ?? [])];
  for (const name of names) {
    const result = Cluster.safeParse(valueAt(raw, ['clusters', name]));
    clusters.set(name, result.data);
    if (partial && !result.success)
      issues.push(...result.error.issues.map(i => ({ ...i, path: ['clusters', name, ...i.path] })));
  }
  const each = <T extends z.ZodType>(list: unknown, schema: T): (z.output<T> | undefined)[] =>
    Array.isArray(list) ? list.map(item => schema.safeParse(item).data) : [];
  const settings: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(Root.shape)) {
    if (key === 'listeners' || key === 'routes' || key === 'clusters') continue;
    const result = schema.safeParse(raw[key]);
    if (result.success) settings[key] = result.data;
  }
  return {
    draft: {
      listeners: each(raw.listeners, Listener),
      routes: each(raw.routes, Route),
      clusters,
      settings: settings as Settings,
      written,
      given,
    },
    config: undefined,
    issues,
  };
}
