// One route as requests meet it: everything that can be computed from its configuration has been.

import type { RouteConfig } from '../../config/proxy.ts';
import { NetworkSet } from '../../core/cidr.ts';
import { type CompiledEdits, compileEdits } from './edits.ts';
import { compileConditions, type FieldCondition } from './field-match.ts';
import { compileRedirect, type RedirectTemplate } from './redirect.ts';
import { compileRewrite, type PathRewrite } from './rewrite.ts';
import { compileSplit, type Split } from './split.ts';

export interface CompiledRoute {
  /** Its place in the file, and its index on the scoreboard. */
  readonly index: number;
  readonly name: string;
  readonly config: RouteConfig;
  /** Where it leads without a split; null for split, redirect and respond. */
  readonly cluster: string | null;
  readonly split: Split | null;
  readonly redirect: RedirectTemplate | null;
  readonly rewrite: PathRewrite | null;
  /** Host for the backend; null for the client's. */
  readonly host: string | null;
  readonly requestEdits: CompiledEdits | null;
  readonly answerEdits: CompiledEdits | null;
  readonly allow: NetworkSet | null;
  readonly deny: NetworkSet | null;
  /** Empty for every method; lists HEAD wherever it lists GET. */
  readonly methods: readonly string[];
  readonly headers: readonly FieldCondition[];
  readonly query: readonly FieldCondition[];
}

/** Throws CONFIG_INVALID, naming the place, for what the schema cannot see. */
export function compileRoute(config: RouteConfig, index: number): CompiledRoute {
  const where = `routes[${index}]`;
  const { match, clients } = config;
  const methods = match.methods.includes('GET') ? [...match.methods, 'HEAD'] : match.methods;
  return {
    index,
    name: config.name ?? `route-${index + 1}`,
    config,
    cluster: config.cluster ?? null,
    split: config.split === undefined ? null : compileSplit(config.split, where),
    redirect: config.redirect === undefined ? null : compileRedirect(config.redirect, where),
    rewrite: compileRewrite(config, where),
    host: config.rewrite?.host ?? null,
    requestEdits: compileEdits(config.request_headers, `${where}.request_headers`),
    answerEdits: compileEdits(config.response_headers, `${where}.response_headers`),
    allow: clients.allow.length === 0 ? null : new NetworkSet(clients.allow),
    deny: clients.deny.length === 0 ? null : new NetworkSet(clients.deny),
    methods,
    headers: compileConditions(match.headers, true, `${where}.match.headers`),
    query: compileConditions(match.query, false, `${where}.match.query`),
  };
}

/** Deny wins over allow; an empty allow list admits all. `address` is the client's, not the peer's. */
export const admits = (route: CompiledRoute, address: string): boolean =>
  (route.deny === null || !route.deny.has(address)) && (route.allow === null || route.allow.has(address));
