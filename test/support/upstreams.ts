// Upstreams for tests: a cluster entry from a few lines of configuration, and requests to it.

import { Cluster } from '../../lib/config/cluster.ts';
import { type Clock, systemClock } from '../../lib/core/clock.ts';
import type { Fields } from '../../lib/core/fields.ts';
import { silentLog } from '../../lib/core/log.ts';
import type { Outgoing, Upstream, UpstreamHead } from '../../lib/data/ports.ts';
import { createUpstream } from '../../lib/data/upstream/create.ts';
import type { BackendEntry, ClusterEntry } from '../../lib/orders/snapshot.ts';
import { AUTHORITY } from './backend-certificate.ts';
import type { Backend, Wire } from './backends.ts';
import { HTTP1, type Http1Kind } from './http1-kind.ts';
import { RecordingSink } from './recording-sink.ts';

export function clusterEntry(config: Record<string, unknown> = {}): ClusterEntry {
  return { name: 'test', config: Cluster.parse(config), backends: [], tls: { ca: AUTHORITY } };
}

export const backendEntry = (url: string): BackendEntry => ({
  id: 'one',
  url,
  weight: 1,
  slot: 0,
  slotGeneration: 1,
  generation: 1,
});

export function upstreamTo(
  url: string,
  config: Record<string, unknown> = {},
  clock: Clock = systemClock,
  http1: Http1Kind = HTTP1,
): Upstream {
  return createUpstream(clusterEntry(config), backendEntry(url), { clock, log: silentLog, http1 });
}

export const connectTo = (
  backend: Backend,
  wire: Wire,
  config: Record<string, unknown> = {},
  clock: Clock = systemClock,
): Upstream => upstreamTo(backend.url, { protocol: wire.protocol, ...config }, clock, wire.http1);

function requestHead(overrides: Partial<UpstreamHead> = {}): UpstreamHead {
  const authority = overrides.authority ?? 'app.example';
  const own: Fields = ['Host', authority];
  return {
    method: 'GET',
    target: '/',
    authority,
    scheme: 'http',
    protocol: '',
    bodyLength: 0,
    ...overrides,
    fields: [...own, ...(overrides.fields ?? [])],
  };
}

export interface Asked {
  readonly sink: RecordingSink;
  readonly outgoing: Outgoing;
}

/** Opens a request; what the sink hears before `open` has returned is noted as illegal. */
export function ask(upstream: Upstream, overrides: Partial<UpstreamHead> = {}): Asked {
  const sink = new RecordingSink();
  sink.deaf = true;
  const outgoing = upstream.open(requestHead(overrides), sink);
  sink.deaf = false;
  if (overrides.bodyLength === undefined || overrides.bodyLength === 0) outgoing.end();
  return { sink, outgoing };
}

/** A whole request without a body, until its last word. */
export async function fetchFrom(
  upstream: Upstream,
  overrides: Partial<UpstreamHead> = {},
): Promise<RecordingSink> {
  const { sink } = ask(upstream, overrides);
  await sink.over();
  return sink;
}
