// A cluster: backends that serve the same thing, and how they are found, checked, chosen and protected.

import * as z from 'zod';
import { Capacity, Forecast, Gate, Pool } from './forecast.ts';
import {
  count,
  duration,
  exactlyOne,
  file,
  name,
  optionalDuration,
  sessionName,
  share,
  size,
} from './scalars.ts';
import { Signals } from './signals.ts';

const backendUrl = z
  .url({
    protocol: /^https?$/,
    error: 'expected a URL such as http://127.0.0.1:9001 or https://app.internal',
  })
  .refine(text => /^https?:\/\/[^/?#@]+\/?$/.test(text), {
    error: 'expected scheme, host and port only: paths are changed by a route’s rewrite',
  });

const Backend = z.strictObject({
  id: name.optional().describe('Stable name; host:port of the URL when left out'),
  url: backendUrl,
  weight: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe('Share of new work relative to the others; 0 takes none'),
  capacity: Capacity.optional(),
});

const backends = z
  .array(
    z.union(
      [backendUrl.transform(url => ({ url, weight: 1, id: undefined, capacity: undefined })), Backend],
      {
        error: 'expected a URL such as http://127.0.0.1:9001, or a map with url',
      },
    ),
  )
  .max(4096);

const Dns = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?$/, { error: 'expected a host name' })
    .describe('Host name whose A and AAAA records are the backends'),
  port: z.int().min(1).max(65535),
  scheme: z.enum(['http', 'https']).default('http'),
  interval: duration('10s', '10ms'),
  servers: z.array(z.string()).max(16).optional().describe('Resolvers as ip:port instead of the system’s'),
});

const Discovery = z
  .strictObject({
    file: file.optional().describe('YAML or JSON file with a list of backends; watched'),
    dns: Dns.optional(),
  })
  .refine(...exactlyOne('file', 'dns'));

const Health = z
  .strictObject({
    http: z
      .strictObject({
        path: z.string().startsWith('/').default('/'),
        host: z.string().min(1).optional(),
        status: z
          .array(z.int().min(100).max(599))
          .min(1)
          .optional()
          .describe('Healthy statuses; any 2xx or 3xx when left out'),
      })
      .optional(),
    tcp: z.literal(true).optional().describe('A connection that opens is healthy'),
    grpc: z
      .strictObject({ service: z.string().default('') })
      .optional()
      .describe('grpc.health.v1.Health/Check'),
    interval: duration('2s', '10ms'),
    timeout: duration('1s', '1ms'),
    rise: count(2, 1, 100).describe('Successes in a row until up'),
    fall: count(3, 1, 100).describe('Failures in a row until down'),
  })
  .refine(...exactlyOne('http', 'tcp', 'grpc'));

const Outlier = z.strictObject({
  consecutive_failures: count(5, 0).describe(
    'Failures in a row (no connection, no answer, 502–504) that eject; 0 switches off',
  ),
  base_ejection: duration('10s', '1ms').describe('First ejection; doubles with each that follows'),
  max_ejection: duration('5m', '1ms'),
  max_ejected: share(0.5).describe('Never more of the cluster than this at once'),
});

const POLICIES = [
  'predictive',
  'round_robin',
  'random',
  'least_request',
  'p2c',
  'peak_ewma',
  'prequal',
  'consistent_hash',
  'maglev',
] as const;

const Probe = z.strictObject({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, { error: 'expected a path such as /load' })
    .describe('Answers with its load: an ORCA report in a header, or JSON with in_flight and latency_ms'),
  per_request: z
    .number()
    .min(0)
    .max(16)
    .optional()
    .describe('Probes a request causes on average; 3 with prequal, 0.2 with predictive when left out'),
  timeout: duration('500ms', '1ms', '30s').describe('A later answer is too old to be of use'),
  at_once: count(32, 1, 1024).describe('Probes of one worker under way; those beyond it are not sent'),
});

const Balance = z.strictObject({
  policy: z.enum(POLICIES).default('predictive'),
  hash: z
    .strictObject({
      by: z.enum(['client', 'header', 'cookie', 'query', 'path']).default('client'),
      name: z.string().optional().describe('Of the header, cookie or query parameter'),
      bound: z
        .number()
        .min(1.05)
        .max(10)
        .default(1.25)
        .describe('A backend above this multiple of the mean load passes the key on'),
    })
    .prefault({}),
  maglev: z
    .strictObject({
      table: z
        .int()
        .min(251)
        .max(655_373)
        .default(65_537)
        .describe('Entries of the table, a prime; a hundred or more for each backend make even shares'),
    })
    .prefault({}),
  predictive: z
    .strictObject({
      choices: count(16, 2, 64).describe('Backends compared for a request; of more, so many are drawn'),
    })
    .prefault({}),
  prequal: z
    .strictObject({
      quantile: share(0.84).describe('Of requests in flight, over which a backend counts as hot'),
    })
    .prefault({}),
  probe: Probe.optional().describe('Backends are asked for their load beside the requests'),
  gate: Gate.describe('Backends foreseen to be overloaded take new work only when no other does'),
  pool: Pool.describe(
    'As many backends take new work as the load foreseen needs, the others only when those are full; needs loads that are shares of a known capacity',
  ),
  slow_start: optionalDuration().describe('A backend that comes up grows to its full weight over this time'),
  panic: share(0.5).describe(
    'Fewer usable than this share of the cluster: health is ignored rather than crush the rest; 0 never',
  ),
});

const Sticky = z.strictObject({
  by: z.enum(['cookie', 'header', 'query']).default('cookie'),
  name: sessionName
    .optional()
    .describe('Of the cookie, header or query parameter; leaseway-CLUSTER, Leaseway-Lease or leaseway_lease'),
  type: z
    .enum(['dynamic', 'static'])
    .default('dynamic')
    .describe('Static leases move only for failure and at the end of a drain'),
  term: duration('60s', '10ms').describe('First term of a lease'),
  max: duration('30m', '10ms', '24h').describe(
    'Terms grow up to this while little load is predicted; one below term keeps them as they are',
  ),
  remember: duration('24h', '0', '365d').describe(
    'A lapsed lease is granted again on its backend within this time',
  ),
  path: z.string().startsWith('/').default('/'),
  same_site: z.enum(['Lax', 'Strict', 'None']).default('Lax'),
  secure: z.enum(['auto', 'always', 'never']).default('auto').describe('auto: on TLS connections'),
});

const Adaptive = z
  .strictObject({
    initial: count(20, 1, 65535).describe('Until latencies are known'),
    min: count(4, 1, 65535),
    max: count(1000, 1, 65535),
    tolerance: z
      .number()
      .min(1)
      .max(10)
      .default(1.5)
      .describe('Latency of so many times that of an idle backend is no queue yet'),
    remeasure: duration('10s', '100ms').describe(
      'A backend that is at its limit for this long is given less for a moment, to see how fast it is without a queue',
    ),
  })
  .refine(({ min, max }) => min <= max, { error: 'expected min to be no more than max' });

const concurrency = z
  .union(
    [
      z.int().min(0).max(1_000_000_000),
      z.literal('auto').transform(() => ({ adaptive: Adaptive.parse({}) })),
      z.strictObject({ adaptive: Adaptive }),
    ],
    { error: 'expected a number, auto, or a map with adaptive' },
  )
  .prefault(0);

const Limits = z.strictObject({
  concurrency: concurrency.describe(
    'Requests at one backend at once, over all workers; 0 for no limit, auto for one found by latency',
  ),
  connections: count(1024, 1, 65535).describe('Connections to one backend from one worker'),
  queue: count(256, 0, 1_000_000).describe('Requests that may wait for a place'),
  queue_timeout: duration('1s', '1ms'),
});

const Overload = z.strictObject({
  order: z
    .enum(['adaptive', 'fifo', 'lifo'])
    .default('adaptive')
    .describe('Of waiting requests; adaptive is first come first served, in overload newest first'),
  target: duration('20ms', '1ms').describe(
    'In overload who waits longer is refused once others were served; adaptive order only',
  ),
  interval: duration('100ms', '1ms').describe('A line that is not empty for this long is an overload'),
  on_none: z
    .enum(['least_loaded', 'queue', 'shed'])
    .default('least_loaded')
    .describe(
      'When no backend is eligible: take one of the least loaded that are gated, wait, or refuse at once',
    ),
});

const Timeouts = z.strictObject({
  connect: duration('2s', '1ms'),
  head: duration('30s', '1ms').describe('Until the answer begins'),
  idle: duration('60s').describe(
    'Between two pieces of an answer, or of a request that still flows under it; 0 for none (server-sent events)',
  ),
  keep_alive: duration('4s').describe(
    'An idle connection to a backend is kept this long; stay below the backend’s own',
  ),
  tcp_keep_alive: duration('10s', '1s', '1h').describe(
    'The kernel probes a backend that is silent this long, ten times a second apart, then closes',
  ),
});

const Retry = z.strictObject({
  attempts: count(2, 1, 10).describe('In all, the first included'),
  per_try_timeout: optionalDuration().describe('Until the answer of one attempt begins'),
  budget: share(0.2).describe('Retries as a share of requests'),
  min_per_second: count(3, 0).describe('Retries that are allowed however few the requests'),
  buffer: size('64KiB').describe('A request body up to this size can be sent again'),
});

const Tls = z.strictObject({
  ca: file.optional().describe('PEM file of the authorities to trust instead of the system’s'),
  server_name: z
    .string()
    .min(1)
    .optional()
    .describe('Name to ask for and to verify; the URL’s host when left out'),
  verify: z.boolean().default(true),
  cert: file.optional().describe('PEM file of our certificate, for mutual TLS'),
  key: file.optional(),
});

const Migration = z
  .strictObject({
    mode: z
      .enum(['act', 'shadow'])
      .default('act')
      .describe(
        'shadow: what would be moved for load is planned and shown, not done; failures and drains are',
      ),
    over: z
      .number()
      .positive()
      .max(8)
      .default(0.9)
      .describe('Predicted load, as a share of capacity, above which a backend’s sessions are moved'),
    under: z.number().positive().max(8).default(0.8).describe('Until it is predicted to be here'),
    per_second: z
      .number()
      .positive()
      .max(100_000)
      .default(2)
      .describe('Sessions moved for load, over the cluster; failures and drains have their own pace'),
    at_once: count(50, 1, 100_000).describe(
      'Moves under way at a time, to or from one backend; drain.pace of them for a drain, where that is more',
    ),
    dwell: duration('60s').describe('A session that was moved is not moved again for load before this'),
    shed: share(0.05).describe('Of a backend’s HTTP sessions, at most this share is moved for load a second'),
  })
  .refine(({ over, under }) => under < over, { error: 'expected under to be less than over' });

export const MIGRATE_MODES = ['off', 'reconnect', 'transparent', 'sdk'] as const;
export type MigrateMode = (typeof MIGRATE_MODES)[number];

export const migrate = z
  .enum(MIGRATE_MODES)
  .default('off')
  .describe(
    'off: a WebSocket stays with its backend until that drains. reconnect: its client is told to come again (1012). transparent: the client keeps its connection, a fresh one to another backend takes over. sdk: clients of leaseway/client get leases, and open the new connection before the old one ends',
  );

const WebSockets = z.strictObject({
  migrate,
  mode: z
    .enum(['overlap', 'strict'])
    .default('overlap')
    .describe('strict: the old backend has closed before the new one is asked'),
  timeout: duration('5s', '10ms').describe(
    'For another backend to accept, and for a message of the client to end; after it the connection stays where it is',
  ),
  hold: z
    .strictObject({
      time: duration('2s', '10ms').describe(
        'A client waits this long for the old backend to close; then that is cut, or the connection ends',
      ),
      bytes: size('256KiB').describe('What a client that waits may send meanwhile; more is not read'),
    })
    .prefault({}),
});

/** What `config/clusters/NAME.yaml` holds. */
export const Cluster = z
  .strictObject({
    backends: backends.default([]),
    discovery: Discovery.optional(),
    protocol: z
      .enum(['http1', 'h2', 'auto'])
      .default('http1')
      .describe('Spoken to the backends; auto asks by ALPN on https, h2 on http is prior knowledge'),
    tls: Tls.prefault({}),
    health: Health.optional(),
    outlier: Outlier.prefault({}),
    signals: Signals.describe('What backends say of their own load, and how it is asked for'),
    balance: Balance.prefault({}),
    sticky: Sticky.optional(),
    capacity: Capacity.optional().describe('Of each backend that says nothing of its own'),
    forecast: Forecast.describe('Load to come, foreseen four times a second'),
    migration: Migration.prefault({}).describe('Sessions that leave a backend before it is overloaded'),
    limits: Limits.prefault({}),
    overload: Overload.prefault({}),
    timeouts: Timeouts.prefault({}),
    retry: Retry.prefault({}),
    websocket: WebSockets.prefault({}),
    drain: z
      .strictObject({
        deadline: duration('10m').describe('After this what is left is ended'),
        pace: count(50, 1).describe(
          'Connections that leave a draining backend a second: moved, or ended where they cannot be',
        ),
      })
      .prefault({}),
  })
  .describe('A leaseway cluster');

export type ClusterConfig = z.output<typeof Cluster>;
export type BackendConfig = ClusterConfig['backends'][number];
export type HealthConfig = NonNullable<ClusterConfig['health']>;
export type ConcurrencyConfig = ClusterConfig['limits']['concurrency'];
export type StickyConfig = NonNullable<ClusterConfig['sticky']>;
export type DiscoveryConfig = NonNullable<ClusterConfig['discovery']>;

/** Its id, or host:port of its URL when it was given none. */
export function backendId(backend: Pick<BackendConfig, 'id' | 'url'>): string {
  if (backend.id !== undefined) return backend.id;
  const url = new URL(backend.url);
  return `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;
}

/** What a watched discovery file holds. */
export const BackendList = backends;
