// The proxy as a whole: listeners, routes, limits, admin, telemetry. What `config/leaseway.yaml` holds.

import * as z from 'zod';
import { PRIORITIES } from '../core/priority.ts';
import { Cluster, migrate } from './cluster.ts';
import { Training } from './forecast.ts';
import {
  address,
  cidr,
  count,
  duration,
  exactlyOne,
  fieldContent,
  fieldName,
  file,
  name,
  optionalDuration,
  share,
  size,
} from './scalars.ts';

const Certificate = z.strictObject({
  cert: file.describe('PEM file: the certificate and its chain'),
  key: file.describe('PEM file: its private key'),
});

const ListenerTls = z.strictObject({
  certificates: z
    .array(Certificate)
    .min(1)
    .describe('Chosen by server name (SNI); the first answers names that none has'),
  min_version: z.enum(['1.2', '1.3']).default('1.2'),
  client_ca: file.optional().describe('PEM file of authorities whose client certificates are accepted'),
  client_auth: z.enum(['none', 'optional', 'required']).default('none'),
  handshake_timeout: duration('10s', '1ms'),
});

export const Listener = z.strictObject({
  address,
  tls: ListenerTls.optional(),
  protocols: z
    .array(z.enum(['http1', 'h2']))
    .min(1)
    .default(['http1', 'h2'])
    .describe('h2 without TLS is by prior knowledge'),
  proxy_protocol: z
    .enum(['off', 'required'])
    .default('off')
    .describe('PROXY protocol v1 or v2 before anything else'),
  proxy_protocol_from: z.array(cidr).default([]).describe('Only these peers may send it; others are closed'),
  max_connections: count(10_000, 1).describe('Over all workers'),
  max_connections_per_client: count(1_000, 1).describe('Over all workers'),
});

const FieldMatch = z
  .strictObject({
    name: z.string().min(1),
    exact: z.string().optional(),
    prefix: z.string().optional(),
    regex: z.string().optional(),
    present: z.boolean().optional(),
  })
  .refine(...exactlyOne('exact', 'prefix', 'regex', 'present'));

const path = z.string().startsWith('/', { error: 'expected a path that begins with /' });

const PathMatch = z.union(
  [
    path.transform(prefix => ({ prefix, exact: undefined, regex: undefined })),
    z
      .strictObject({
        exact: path.optional(),
        prefix: path.optional(),
        regex: z.string().optional().describe('RE2 syntax: linear time, anchored at both ends'),
      })
      .refine(...exactlyOne('exact', 'prefix', 'regex')),
  ],
  { error: 'expected a path prefix such as /api, or a map with one of exact, prefix, regex' },
);

const Match = z.strictObject({
  hosts: z
    .array(
      z.string().regex(/^(\*\.)?[A-Za-z0-9._-]+$|^\[[0-9a-fA-F:.]+\]$|^\*$/, {
        error: 'expected a host name, *.example.org or *',
      }),
    )
    .default([]),
  path: PathMatch.optional(),
  methods: z
    .array(z.string().regex(/^[A-Z-]+$/, { error: 'expected a method in capitals, such as GET' }))
    .default([]),
  headers: z.array(FieldMatch).default([]),
  query: z.array(FieldMatch).default([]),
});

const Edit = z.strictObject({
  set: z.record(fieldName, fieldContent).default({}),
  add: z.record(fieldName, fieldContent).default({}),
  remove: z.array(fieldName).default([]),
});

const Rate = z.strictObject({
  rate: z.number().positive().describe('Requests a second'),
  burst: count(10, 1),
  by: z
    .enum(['client', 'route'])
    .default('client')
    .describe('Whose: each client’s, or those of the route as a whole'),
});

/** Index in PRIORITIES. */
const priority = z
  .union(
    [
      z.enum(PRIORITIES).transform(one => PRIORITIES.indexOf(one)),
      z
        .int()
        .min(0)
        .max(PRIORITIES.length - 1),
    ],
    { error: `expected ${PRIORITIES.join(', ')}, or 0 to ${PRIORITIES.length - 1}` },
  )
  .prefault('normal')
  .describe('In overload, higher is served first and refused last');

export const Route = z
  .strictObject({
    name: name.optional().describe('In logs, metrics and leases; route-N when left out'),
    match: Match.prefault({}),
    clients: z
      .strictObject({ allow: z.array(cidr).default([]), deny: z.array(cidr).default([]) })
      .prefault({}),
    cluster: z.string().optional(),
    split: z
      .array(z.strictObject({ cluster: z.string(), weight: z.number().min(0).max(1_000_000) }))
      .min(2)
      .optional()
      .describe('Canary: requests shared among clusters by weight'),
    redirect: z
      .strictObject({
        status: z.literal([301, 302, 303, 307, 308]).default(308),
        to: z.string().min(1).describe('Location; {host}, {path} and {query} are filled in'),
      })
      .optional(),
    respond: z
      .strictObject({
        status: z.int().min(200).max(599).default(200),
        body: z.string().default(''),
        headers: z.record(fieldName, fieldContent).default({}),
      })
      .optional(),
    rewrite: z
      .strictObject({
        prefix: path.optional().describe('Put in place of the matched prefix'),
        regex: z.string().optional(),
        to: z.string().optional().describe('With regex: the new path; $1 and so on are its groups'),
        host: z
          .string()
          .regex(/^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/, {
            error: 'expected a host name, with :port if need be',
          })
          .optional()
          .describe('Host sent to the backend; the client’s when left out'),
      })
      .optional(),
    request_headers: Edit.prefault({}),
    response_headers: Edit.prefault({}),
    max_body: size('1GiB'),
    rate_limit: Rate.optional(),
    priority,
    timeout: optionalDuration().describe('The whole exchange, retries included; none when left out'),
    encoded_slash: z.enum(['refuse', 'keep']).default('refuse').describe('%2F, %5C in a path'),
    websocket: z
      .union([z.boolean(), z.strictObject({ migrate })], {
        error: 'expected true, false, or a map with migrate',
      })
      .default(true)
      .describe('migrate: instead of the cluster’s'),
  })
  .refine(...exactlyOne('cluster', 'split', 'redirect', 'respond'));

const Limits = z.strictObject({
  header_bytes: size('16KiB'),
  header_count: count(100, 1, 2000),
  uri_bytes: size('8KiB'),
  head_timeout: duration('10s', '1ms').describe('For a whole request head to arrive'),
  body_idle_timeout: duration('30s').describe('Between two pieces of a request body'),
  write_idle_timeout: duration('60s').describe(
    'A client that takes nothing of its answer this long is closed',
  ),
  keep_alive: duration('75s').describe('An idle client connection is kept this long'),
  tcp_keep_alive: duration('30s', '1s', '1h').describe(
    'The kernel probes a client that is silent this long, ten times a second apart, then closes',
  ),
  tunnel_idle: duration('1h').describe('A WebSocket without a byte either way'),
  requests_per_connection: count(100_000, 1),
  h2_streams: count(100, 1, 10_000).describe('At once on one connection'),
  h2_resets_per_minute: count(200, 1).describe('Streams a client may reset before GOAWAY'),
});

const Admin = z.strictObject({
  address: address.default('127.0.0.1:9900'),
  token_file: file
    .optional()
    .describe('File with the token, mode 0600; made in the state directory when left out'),
  tls: ListenerTls.optional(),
});

const Telemetry = z.strictObject({
  service_name: z.string().default('leaseway'),
  otlp: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:4318' })
        .describe('Base URL, such as http://127.0.0.1:4318'),
      headers: z.record(fieldName, fieldContent).default({}),
      interval: duration('10s', '10ms'),
    })
    .optional(),
  sample: share(0.01).describe('Of traces that begin here; a caller’s own decision is followed'),
});

const Log = z.strictObject({
  access: z
    .string()
    .min(1)
    .default('off')
    .describe('Path of the access log (JSON lines), stdout, stderr or off'),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  format: z.enum(['text', 'json']).default('text').describe('Of leaseway’s own messages on stderr'),
});

/** What `leaseway.yaml` holds; `clusters` may stand in it or in one file each under `clusters/`. */
export const Root = z
  .strictObject({
    listeners: z
      .array(Listener, { error: 'expected a list such as [{ address: "127.0.0.1:8080" }]' })
      .min(1, { error: 'expected at least one, such as { address: "127.0.0.1:8080" }' }),
    routes: z
      .array(Route, { error: 'expected a list such as [{ cluster: web }]' })
      .min(1, { error: 'expected at least one, such as { cluster: web }' })
      .max(1024)
      .describe('The first that matches is taken'),
    clusters: z.record(name, Cluster).default({}),
    workers: z
      .union([z.literal('auto'), z.int().min(1).max(64)], { error: 'expected auto or a number from 1 to 64' })
      .default('auto')
      .describe('Data-plane threads; auto is one a core'),
    admin: Admin.prefault({}),
    trusted_proxies: z
      .array(cidr)
      .default([])
      .describe('Peers whose Forwarded and X-Forwarded-* are believed'),
    forwarded: z
      .enum(['x-forwarded', 'forwarded', 'both', 'off'])
      .default('x-forwarded')
      .describe('What backends are told of the client'),
    via: name.default('leaseway').describe('Our name in Via'),
    request_id: fieldName.default('X-Request-Id'),
    limits: Limits.prefault({}),
    leases: z
      .strictObject({
        keys: z
          .array(z.string().min(32))
          .max(8)
          .default([])
          .describe(
            'Secrets that sign leases, newest first; made and kept in the state directory when none is given',
          ),
      })
      .prefault({}),
    state: z
      .strictObject({ dir: file.optional() })
      .prefault({})
      .describe('Where what must survive a restart is kept'),
    debug: z
      .strictObject({
        explain_header: z
          .enum(['off', 'trusted', 'always'])
          .default('off')
          .describe(
            'Answers say in Leaseway-Explain why their backend was chosen; trusted: to trusted_proxies that send Leaseway-Explain',
          ),
      })
      .prefault({}),
    telemetry: Telemetry.prefault({}),
    log: Log.prefault({}),
    shutdown: z
      .strictObject({
        deadline: duration('30s').describe('For requests in flight; then connections are closed'),
        pace: count(200, 1).describe('Long connections ended a second'),
      })
      .prefault({}),
    training: Training.describe('Of the networks that forecasts minutes ahead may use'),
    max_backends: count(4096, 1, 65536),
    http1: z
      .enum(['native', 'node'])
      .default('native')
      .describe('Who speaks HTTP/1.1 on both sides: leaseway’s own codec, or node:http and undici'),
  })
  .describe('leaseway');

export type ProxyConfig = z.output<typeof Root>;
export type ListenerConfig = ProxyConfig['listeners'][number];
export type ListenerTlsConfig = NonNullable<ListenerConfig['tls']>;
export type RouteConfig = ProxyConfig['routes'][number];
export type RequestLimits = ProxyConfig['limits'];
export type TelemetryConfig = ProxyConfig['telemetry'];

/** Its name, or route-N when it was given none; N counts from 1, as a person would. */
export const routeName = (route: Pick<RouteConfig, 'name'>, index: number): string =>
  route.name ?? `route-${index + 1}`;
