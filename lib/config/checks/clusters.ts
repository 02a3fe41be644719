// Clusters: keys that contradict, are missing, or do nothing together.

import { isIP } from 'node:net';
import { formatDuration } from '../../core/units.ts';
import type { ClusterConfig, StickyConfig } from '../cluster.ts';
import { quoted } from '../describe.ts';
import type { Draft } from '../draft.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';
import { checkSignals } from './signals.ts';

export function* checkClusters(draft: Draft): Generator<Finding> {
  for (const [name, cluster] of draft.clusters) {
    if (cluster === undefined) continue;
    const path: Path = ['clusters', name];
    yield* members(cluster, path);
    yield* protocol(cluster, path, draft);
    yield* balance(cluster, path, draft);
    yield* timing(cluster, path, draft);
    yield* checkSignals(cluster, [...path, 'signals']);
    if (cluster.sticky !== undefined) yield* sticky(cluster.sticky, [...path, 'sticky'], draft);
  }
}

function* members(cluster: ClusterConfig, path: Path): Generator<Finding> {
  const { backends, discovery } = cluster;
  if (backends.length === 0 && discovery === undefined)
    yield warning([...path, 'backends'], {
      atKey: true,
      what: 'neither backends nor discovery: every request gets 503 until the admin API adds one',
      expected: 'backends or discovery',
    });
  if (backends.length > 0 && discovery === undefined && backends.every(b => b.weight === 0))
    yield warning([...path, 'backends'], {
      atKey: true,
      what: 'every weight is 0: no backend takes new work',
      expected: 'a weight above 0',
    });
  for (const [i, server] of (discovery?.dns?.servers ?? []).entries()) {
    const address = /^\[(.*)\](?::(\d+))?$/.exec(server) ??
      /^([^:]*)(?::(\d+))?$/.exec(server) ?? [server, server];
    if (isIP(address[1]!) === 0 || Number(address[2] ?? 53) > 65535)
      yield error([...path, 'discovery', 'dns', 'servers', i], {
        expected: 'the IP address of a resolver, such as 10.0.0.2 or 10.0.0.2:53',
        found: quoted(server),
      });
  }
}

function* protocol(cluster: ClusterConfig, path: Path, draft: Draft): Generator<Finding> {
  const { backends, discovery, tls } = cluster;
  const plain =
    backends.every(b => b.url.startsWith('http:')) && (discovery?.dns?.scheme ?? 'http') === 'http';
  const known = (backends.length > 0 || discovery !== undefined) && discovery?.file === undefined;
  if (cluster.protocol === 'auto' && plain && known)
    yield warning([...path, 'protocol'], {
      what: 'auto asks during the TLS handshake, and these backends are http://',
      expected: 'http1, or h2 for prior knowledge',
    });
  if (cluster.health?.grpc !== undefined && cluster.protocol === 'http1')
    yield error([...path, 'health', 'grpc'], {
      atKey: true,
      what: 'a gRPC check needs HTTP/2, and protocol is http1',
      expected: 'protocol: h2',
    });
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [has, lacks] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    yield error([...path, 'tls', has!], {
      atKey: true,
      what: `${has} without ${lacks}`,
      expected: 'both, for mutual TLS, or neither',
    });
  }
  if (draft.given([...path, 'tls']) && plain && known)
    yield warning([...path, 'tls'], {
      atKey: true,
      what: 'has no effect: the backends are http://',
      expected: 'https:// in their URLs',
    });
  else if (!tls.verify)
    yield warning([...path, 'tls', 'verify'], {
      what: 'whoever sits between can pose as the backend',
      expected:
        tls.ca === undefined
          ? 'verify: true, with ca for an authority of your own'
          : 'verify: true; ca has no effect otherwise',
    });
}

function* balance(cluster: ClusterConfig, path: Path, draft: Draft): Generator<Finding> {
  const { policy, hash, maglev, probe } = cluster.balance;
  const at = [...path, 'balance'];
  const named = hash.by === 'header' || hash.by === 'cookie' || hash.by === 'query';
  if (named && hash.name === undefined)
    yield error([...at, 'hash', 'by'], {
      what: `by: ${hash.by} does not say which`,
      expected: `name with the name of the ${hash.by === 'query' ? 'query parameter' : hash.by}`,
    });
  if (!named && hash.name !== undefined)
    yield warning([...at, 'hash', 'name'], {
      atKey: true,
      what: `has no effect with by: ${hash.by}`,
      expected: 'by: header, cookie or query',
    });
  for (const [key, policies] of POLICIES_OF)
    if (!policies.includes(policy) && draft.given([...at, key]))
      yield warning([...at, key], {
        atKey: true,
        what: `has no effect with policy: ${policy}`,
        expected: `policy: ${policies.join(' or ')}`,
      });
  if (policy === 'maglev' && draft.given([...at, 'hash', 'bound']))
    yield warning([...at, 'hash', 'bound'], {
      atKey: true,
      what: 'has no effect with policy: maglev, which does not bound loads',
      expected: 'policy: consistent_hash',
    });
  if (!isPrime(maglev.table))
    yield error([...at, 'maglev', 'table'], {
      expected: `a prime, such as ${primeFrom(maglev.table)}`,
      found: String(maglev.table),
    });
  if (policy === 'prequal' && probe === undefined)
    yield warning([...at, 'policy'], {
      what: 'prequal without balance.probe hears of no backend: it picks at random',
      expected: 'probe: { path: /load } with a path where backends tell their load',
    });
}

/** Keys of `balance` that only some policies read. */
const POLICIES_OF: readonly (readonly [key: string, policies: readonly string[]])[] = [
  ['hash', ['consistent_hash', 'maglev']],
  ['maglev', ['maglev']],
  ['predictive', ['predictive']],
  ['prequal', ['prequal']],
  ['probe', ['predictive', 'prequal']],
];

function isPrime(n: number): boolean {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false;
  return n > 1;
}

/** The next one; there is always one within twice the number. */
function primeFrom(n: number): number {
  let next = n;
  while (!isPrime(next)) next += 1;
  return next;
}

function* timing(cluster: ClusterConfig, path: Path, draft: Draft): Generator<Finding> {
  const { outlier, retry, timeouts, limits, health } = cluster;
  if (outlier.max_ejection < outlier.base_ejection)
    yield error([...path, 'outlier', 'max_ejection'], {
      expected: `at least base_ejection (${formatDuration(outlier.base_ejection)})`,
      found: formatDuration(outlier.max_ejection),
    });
  if (retry.per_try_timeout !== undefined && retry.per_try_timeout > timeouts.head)
    yield warning([...path, 'retry', 'per_try_timeout'], {
      what: `has no effect: timeouts.head (${formatDuration(timeouts.head)}) ends an attempt before`,
      expected: 'a shorter time',
    });
  if (health !== undefined && health.timeout > health.interval && draft.given([...path, 'health', 'timeout']))
    yield warning([...path, 'health', 'timeout'], {
      what: `a check may still run when the next is due (interval ${formatDuration(health.interval)})`,
      expected: 'a timeout up to the interval',
    });
  if (limits.concurrency === 0 && draft.given([...path, 'limits', 'queue']) && limits.queue > 0)
    yield warning([...path, 'limits', 'queue'], {
      what: 'nothing waits while concurrency is 0 (no limit)',
      expected: 'a concurrency',
    });
}

/** Fields that frame or route the message itself; a session in one of them would break it. */
const NOT_FOR_SESSIONS =
  /^(host|connection|cookie|set-cookie|content-length|transfer-encoding|upgrade|te|trailer|keep-alive|expect)$/i;

function* sticky(own: StickyConfig, path: Path, draft: Draft): Generator<Finding> {
  if (own.by === 'header' && own.name !== undefined && NOT_FOR_SESSIONS.test(own.name))
    yield error([...path, 'name'], {
      what: `${quoted(own.name)} already has a meaning`,
      expected: 'a header of your own, such as X-Session',
    });
  if (own.remember > 0 && own.remember < own.term)
    yield error([...path, 'remember'], {
      expected: `at least term (${formatDuration(own.term)}), or 0`,
      found: formatDuration(own.remember),
    });
  if (own.by !== 'cookie') {
    for (const key of ['path', 'same_site', 'secure'])
      if (draft.given([...path, key]))
        yield warning([...path, key], {
          atKey: true,
          what: `has no effect with by: ${own.by}`,
          expected: 'by: cookie',
        });
    return;
  }
  const cookie = own.name ?? '';
  if (/^__(Host|Secure)-/i.test(cookie) && own.secure === 'never')
    yield error([...path, 'name'], {
      what: `browsers refuse ${quoted(cookie)} without Secure`,
      expected: 'secure: always, or another name',
    });
  if (/^__Host-/i.test(cookie) && own.path !== '/')
    yield error([...path, 'path'], {
      what: `browsers refuse ${quoted(cookie)} with a path`,
      expected: 'path: /',
      found: quoted(own.path),
    });
  if (own.same_site === 'None' && own.secure === 'never')
    yield error([...path, 'same_site'], {
      what: 'browsers refuse SameSite=None without Secure',
      expected: 'secure: always',
    });
}
