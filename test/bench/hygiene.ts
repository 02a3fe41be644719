// Microseconds per request of everything pure between the parsed head and the dispatch: node test/bench/hygiene.ts [--json FILE]

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Route } from '../../lib/config/proxy.ts';
import { systemClock } from '../../lib/core/clock.ts';
import { IdSource } from '../../lib/core/ids.ts';
import { AnswerHygiene } from '../../lib/data/hygiene/answer-fields.ts';
import { RequestHygiene } from '../../lib/data/hygiene/request-fields.ts';
import type { ClientConnection, RequestHead } from '../../lib/data/ports.ts';
import { isReason, normalForm, type Target } from '../../lib/data/router/normal-form.ts';
import { rewritePath } from '../../lib/data/router/rewrite.ts';
import { compileRouter } from '../../lib/data/router/router.ts';
import { leaseCarrier, readLease } from '../../lib/plan/lease/carrier.ts';
import { decideSession } from '../../lib/plan/lease/decide.ts';
import { grantLease } from '../../lib/plan/lease/lease.ts';
import { LeaseTokens } from '../../lib/plan/lease/token.ts';

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const RUNS = 5;
const BATCH = 1000;
const BATCHES = 60;

const terms = { type: 'dynamic', termMs: 60_000, rememberMs: 86_400_000 } as const;
const key = { id: '00c0ffee', secret: new Uint8Array(32).fill(7) };
const placement = { cluster: 'web', route: '', backend: 'web-3', generation: 4 };
const wallMs = systemClock.wallMs();
const carrier = leaseCarrier(
  { by: 'cookie', path: '/', same_site: 'Lax', secure: 'auto', term: 60_000, remember: 86_400_000 },
  'web',
);
/** One token for each request of a run, so that none is in the verifier's memory when it comes. */
const signer = new LeaseTokens([key], 1);
const ids = new IdSource();
const leases = Array.from({ length: BATCH }, () =>
  signer.sign(grantLease(ids.hex(8), placement, terms, wallMs)),
);

const connection: ClientConnection = {
  id: 1,
  remoteAddress: '203.0.113.9',
  remotePort: 50_000,
  localPort: 8080,
  listener: ':8080',
  tls: null,
};
/** Twelve fields, as a browser sends them. Made anew each time, as a parser does: cached string hashes would flatter us. */
const headOf = (index: number, token: string): RequestHead => ({
  method: 'GET',
  scheme: 'http',
  authority: Buffer.from('shop.example.org').toString('latin1'),
  target: Buffer.from(`/api/v1/products/${index}?page=2`).toString('latin1'),
  fields: [
    'Host: shop.example.org',
    'Connection: keep-alive',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    'Accept: application/json, text/plain, */*',
    'Accept-Language: en-GB,en;q=0.9',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Referer: http://shop.example.org/',
    'Sec-Fetch-Mode: cors',
    'Sec-Fetch-Site: same-origin',
    'If-None-Match: "abc"',
    'X-Requested-With: app',
    `Cookie: theme=dark; leaseway-web=${token}; session=0123456789abcdef`,
  ].flatMap(line => line.split(': ').map(text => Buffer.from(text).toString('latin1'))),
  version: '1.1',
  protocol: '',
  bodyLength: 0,
  expectsContinue: false,
});

const router = compileRouter(
  Array.from({ length: 1000 }, (_, index) =>
    Route.parse({
      cluster: 'web',
      match:
        index === 999
          ? { hosts: ['*.example.org'], path: '/api' }
          : { hosts: [`h${index % 500}.example.org`, 'shop.example.org'], path: `/p${index}/x` },
    }),
  ),
);
const flatRouter = compileRouter(
  Array.from({ length: 1000 }, (_, index) =>
    Route.parse({ cluster: 'web', match: { path: index === 999 ? '/api' : `/p${index}` } }),
  ),
);
const hygiene = new RequestHygiene(
  { via: 'leaseway', request_id: 'X-Request-Id', forwarded: 'x-forwarded', trusted_proxies: [] },
  ids,
);
const behindProxy = new RequestHygiene(
  {
    via: 'leaseway',
    request_id: 'X-Request-Id',
    forwarded: 'x-forwarded',
    trusted_proxies: ['203.0.113.0/24'],
  },
  ids,
);
const answers = new AnswerHygiene('leaseway', systemClock);
const backend = {
  standing: 'up',
  generation: 4,
  takesNew: true,
  shedFraction: 0,
  shedTurn: 0,
  leaseMs: 0,
} as const;

const normal = (head: RequestHead): Target => {
  const target = normalForm(head);
  if (isReason(target)) throw new Error(target.detail);
  return target;
};

function wholePass(head: RequestHead, tokens: LeaseTokens, via: RequestHygiene): number {
  const target = normal(head);
  const caller = via.caller(connection, head);
  const route = router.match(head, target)!;
  const lease = readLease(carrier, tokens, head.fields, target.query);
  if (lease === null || typeof lease === 'string') throw new Error(`${lease}`);
  const decision = decideSession(lease, backend, terms, wallMs);
  const path = rewritePath(route.rewrite, target.path);
  const fields = via.forward(connection, head, target.authority.text, caller, route, carrier);
  return (fields as string[]).length + (path as string).length + decision.action.length;
}

let sunk = 0;
/** The median of several runs' means. Heads are made outside the clock. */
function microseconds(
  run: (head: RequestHead, index: number) => number,
  heads: (batch: number) => RequestHead[],
): { value: number; runs: number[] } {
  const runs: number[] = [];
  for (let r = -1; r < RUNS; r++) {
    let totalMs = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      const made = heads(batch);
      const startMs = systemClock.monotonicMs();
      for (let i = 0; i < BATCH; i++) sunk += run(made[i]!, i);
      totalMs += systemClock.monotonicMs() - startMs;
    }
    if (r >= 0) runs.push((totalMs * 1000) / (BATCH * BATCHES)); // the first warms up
  }
  return { value: runs.toSorted((a, b) => a - b)[RUNS >> 1]!, runs };
}

const manyTokens = (): RequestHead[] => leases.map((token, index) => headOf(index, token));
const targets = Array.from({ length: BATCH }, (_, index) => normal(headOf(index, '')));
const remembering = new LeaseTokens([key], 10_000);
const forgetful = (): LeaseTokens => new LeaseTokens([key], 2);
let uncached = forgetful();

const figures: readonly (readonly [
  name: string,
  goal: number,
  run: (head: RequestHead, index: number) => number,
])[] = [
  ['normal form of the target', 0.5, head => normal(head).path.length],
  ['route of 1,000 by host and path', 1, (head, i) => router.match(head, targets[i]!)!.index],
  ['route of 1,000 by path', 1, (head, i) => flatRouter.match(head, targets[i]!)!.index],
  [
    'fields for the backend',
    3,
    head =>
      (
        hygiene.forward(
          connection,
          head,
          'shop.example.org',
          hygiene.caller(connection, head),
          router.routes[999]!,
          carrier,
        ) as string[]
      ).length,
  ],
  [
    'lease verified, token seen before',
    1,
    head => (readLease(carrier, remembering, head.fields, '') as object as { generation: number }).generation,
  ],
  [
    'lease verified, token new',
    15,
    head => (readLease(carrier, uncached, head.fields, '') as object as { generation: number }).generation,
  ],
  ['lease signed', 15, () => signer.sign(grantLease('0123456789abcdef', placement, terms, wallMs)).length],
  [
    'fields for the client',
    1.5,
    head => answers.forward({ status: 200, fields: head.fields }, '1.1', null, carrier, null).length,
  ],
  ['whole request pass, token seen before', 6, head => wholePass(head, remembering, hygiene)],
  ['whole request pass, token new', 20, head => wholePass(head, uncached, hygiene)],
  ['whole request pass behind a trusted proxy', 8, head => wholePass(head, remembering, behindProxy)],
];

const rows = figures.map(([figure, goal, run]) => {
  const { value, runs } = microseconds(run, () => {
    uncached = forgetful();
    return manyTokens();
  });
  const rounded = (n: number): number => Math.round(n * 1000) / 1000;
  console.log(`${figure.padEnd(44)} ${value.toFixed(2).padStart(7)} µs   goal ${goal}`);
  return {
    figure,
    value: rounded(value),
    unit: 'µs',
    goal,
    sense: '<=',
    baseline: null,
    runs: runs.map(rounded),
  };
});
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
if (sunk === 0) throw new Error('nothing was measured');
