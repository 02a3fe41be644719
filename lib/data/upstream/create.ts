// Makes the Upstream a cluster's configuration asks for, and says when two configurations ask for the same.

import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { BackendEntry, ClusterEntry } from '../../orders/snapshot.ts';
import type { Descriptors } from '../descriptors.ts';
import type { Upstream } from '../ports.ts';
import { AutoUpstream } from './auto.ts';
import { type Dial, Dialer, type Endpoint } from './dial.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http1Upstream } from './http1-undici.ts';
import { Http2Upstream } from './http2.ts';

export interface UpstreamTools {
  readonly clock: Clock;
  readonly log: Log;
  readonly descriptors?: Descriptors | undefined;
  /** Who speaks HTTP/1.1: our codec (the default), or undici. */
  readonly http1?: 'native' | 'node';
}

/** Where and how a backend is reached. */
function endpointOf(cluster: ClusterEntry, backend: BackendEntry): Endpoint {
  const url = new URL(backend.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const { tls, timeouts } = cluster.config;
  return {
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    connectTimeoutMs: timeouts.connect,
    tcpKeepAliveMs: timeouts.tcp_keep_alive,
    tls: secure ? { serverName: tls.server_name ?? host, verify: tls.verify, ...cluster.tls } : null,
  };
}

/** The connections to one backend, none of them open yet. */
export function createUpstream(cluster: ClusterEntry, backend: BackendEntry, tools: UpstreamTools): Upstream {
  const endpoint = endpointOf(cluster, backend);
  const { protocol, limits, timeouts } = cluster.config;
  const dialer = new Dialer(endpoint, tools.clock, tools.descriptors);
  const common = {
    origin: new URL(backend.url).origin,
    connections: limits.connections,
    queue: limits.queue,
    keepAliveMs: timeouts.keep_alive,
    openSockets: () => dialer.open,
  };
  const servername = endpoint.tls?.serverName ?? endpoint.host;
  const http1 = (dial: Dial): Upstream =>
    tools.http1 === 'node'
      ? new Http1Upstream({ ...common, servername, dial })
      : new Http1Pool({ ...common, dial }, tools.clock);
  const http2 = (dial: Dial): Upstream =>
    new Http2Upstream({ ...common, dial, connectTimeoutMs: timeouts.connect }, tools.clock);
  tools.log.debug('upstream made', { cluster: cluster.name, backend: backend.id, protocol });
  if (protocol === 'h2') return http2(done => dialer.dial(['h2'], done));
  // Without TLS there is no ALPN to ask by.
  if (protocol === 'http1' || endpoint.tls === null) return http1(done => dialer.dial(['http/1.1'], done));
  return new AutoUpstream({ dialer, queue: limits.queue + limits.connections, http1, http2 });
}

/** Equal exactly when connections made for one entry serve the other; secrets are in it as a digest only. */
export function upstreamKey(cluster: ClusterEntry, backend: BackendEntry): string {
  const { protocol, limits, timeouts, tls } = cluster.config;
  const { ca = '', cert = '', key = '' } = cluster.tls;
  const pem = createHash('sha256')
    .update(JSON.stringify([ca, cert, key]))
    .digest('base64url');
  return JSON.stringify([
    new URL(backend.url).origin,
    protocol,
    timeouts.connect,
    timeouts.keep_alive,
    timeouts.tcp_keep_alive,
    limits.connections,
    limits.queue,
    tls.server_name ?? '',
    tls.verify,
    pem,
  ]);
}
