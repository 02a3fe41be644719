// The default policy through the running program: learns speeds, avoids what fails or hangs, remembers, and says why.

import { once } from 'node:events';
import http from 'node:http';
import t from 'tap';
import { seededRandom } from '../../lib/core/random.ts';
import { Leaseway } from '../support/leaseway.ts';
import { runCli } from '../support/run-cli.ts';
import { SpeedyBackend } from '../support/speedy-backend.ts';

const SEED = 7;
const POLICIES = ['predictive', 'p2c', 'round_robin', 'prequal'] as const;
/** Together 350 a second. */
const backends = await Promise.all([
  SpeedyBackend.start('fast', 10, 2),
  SpeedyBackend.start('middle', 20, 2),
  SpeedyBackend.start('slow', 40, 2),
]);
const [fast, , slow] = backends as [SpeedyBackend, SpeedyBackend, SpeedyBackend];
const cluster = (policy: string, more: Record<string, unknown> = {}) => ({
  backends: backends.map(({ id, url }) => ({ id, url })),
  balance: { policy, ...(policy === 'prequal' && { probe: { path: '/load' } }) },
  ...more,
});
const clusters = Object.fromEntries(POLICIES.map(policy => [policy, cluster(policy)]));
const config = {
  workers: 2,
  routes: POLICIES.map(policy => ({ name: policy, match: { path: `/${policy}` }, cluster: policy })),
  debug: { explain_header: 'trusted' },
  trusted_proxies: ['127.0.0.1/32'],
};
const leaseway = await Leaseway.start({ config, clusters, hooked: true });
t.teardown(async () => {
  for (const backend of backends) backend.wake();
  await leaseway[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
t.teardown(() => agent.destroy());

interface Answered {
  readonly status: number;
  readonly backend: string;
  readonly explained: string;
  readonly tookMs: number;
}

async function ask(path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answered> {
  const startMs = performance.now();
  const request = http.get({ host: '127.0.0.1', port: leaseway.port(), path, agent, headers });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  return {
    status: response.statusCode!,
    backend: String(response.headers['x-backend'] ?? ''),
    explained: String(response.headers['leaseway-explain'] ?? ''),
    tookMs: performance.now() - startMs,
  };
}

/** Open loop, Poisson. */
async function load(path: string, perSecond: number, seconds: number): Promise<Answered[]> {
  const random = seededRandom(SEED);
  const answers: Promise<Answered>[] = [];
  const startMs = performance.now();
  for (let dueMs = 0; dueMs < 1000 * seconds; dueMs += (-1000 * Math.log(1 - random.next())) / perSecond) {
    const waitMs = startMs + dueMs - performance.now();
    if (waitMs > 1) await new Promise(resolve => setTimeout(resolve, waitMs));
    answers.push(ask(path));
  }
  return Promise.all(answers);
}

const quantile = (answers: readonly Answered[], q: number): number =>
  answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(q * answers.length)]!;

function sharesOf(answers: readonly Answered[]): Record<string, number> {
  const shares: Record<string, number> = { fast: 0, middle: 0, slow: 0 };
  for (const { backend } of answers) shares[backend]! += 1 / answers.length;
  return shares;
}

const explain = async (cluster: string, more = '') =>
  (await leaseway.admin(`/v1/clusters/${cluster}/explain${more}`)).body;

t.test('shares follow speed, and the tail is not that of taking turns', async t => {
  const policies = ['predictive', 'p2c', 'round_robin'] as const;
  const tails: Record<string, number[]> = { predictive: [], p2c: [], round_robin: [] };
  const answered: Answered[] = [];
  for (const policy of policies) await load(`/${policy}`, 200, 1);
  // In short turns, and by the middle of five: a stall of the machine falls on one turn, not on one policy.
  for (let round = 0; round < 5; round++)
    for (const policy of policies) {
      const answers = await load(`/${policy}`, 200, 1.5);
      t.ok(answers.every(({ status }) => status === 200));
      tails[policy]!.push(quantile(answers, 0.95));
      if (policy === 'predictive') answered.push(...answers);
    }
  const own = sharesOf(answered);
  t.ok(own.fast! > own.middle! && own.middle! > own.slow!, `by speed: ${JSON.stringify(own)}`);
  const middle = (policy: string): number => tails[policy]!.toSorted((a, b) => a - b)[2]!;
  t.comment(
    `p95, middle of five: ${policies.map(policy => `${policy} ${middle(policy).toFixed(1)} ms`).join(', ')}`,
  );
  t.ok(middle('predictive') < 0.8 * middle('round_robin'));
  // Where the machine has other work its stalls are the tail; that it is shorter by itself test/plan/balance shows.
  t.ok(middle('predictive') < 2 * middle('p2c'));
});

const knowsSlow = ([quick, , late]: readonly { figures: { service_ms: number } }[]): boolean =>
  late!.figures.service_ms > quick!.figures.service_ms;

t.test('both workers say so when they are asked, with the figures', async t => {
  for (const worker of [0, 1]) {
    const ask = () => explain('predictive', `?worker=${worker}`);
    let explained = await ask();
    // A worker learns by the requests that the kernel gives it, and of the slow one it has few.
    for (let turn = 0; turn < 10 && !knowsSlow(explained.backends); turn++) {
      await load('/predictive', 200, 1);
      explained = await ask();
    }
    t.match(explained, { cluster: 'predictive', policy: 'predictive', worker, rule: /done first/ });
    const [quick, , late] = explained.backends;
    t.match(quick, { id: 'fast', state: 'up', candidate: true, gate: 'open', weight: 1, remark: '' });
    t.ok(knowsSlow(explained.backends), JSON.stringify([quick.figures, late.figures]));
    t.ok(quick.score > 0 && quick.figures.room > 0);
  }
  t.equal((await leaseway.admin('/v1/clusters/nobody/explain')).status, 404);
  t.equal((await leaseway.admin('/v1/clusters/p2c/explain?worker=9')).status, 404);
  const cli = await runCli(['explain', 'predictive', '--admin', `127.0.0.1:${leaseway.serving.admin.port}`]);
  t.equal(cli.code, 0, cli.err);
  t.match(cli.out, /^cluster {4}predictive, policy predictive, as worker 0 sees it\ngoes to {4}/);
  t.match(cli.out, /BACKEND +STATE +SCORE .*SERVICE MS/);
});

t.test('an answer says why its backend was chosen, to a trusted peer that asks', async t => {
  const { explained, backend } = await ask('/predictive', { 'Leaseway-Explain': '1' });
  t.match(explained, new RegExp(`^${backend}; policy=predictive; worker=[01]; rule="where it is expected`));
  t.match(explained, /; fast score=\S+ in_flight=\d+ weight=1 .*service_ms=/);
  t.equal((await ask('/predictive')).explained, '', 'not to who does not ask');
});

t.test('prequal probes three times a request and goes by the answers', async t => {
  const before = backends.reduce((sum, { probes }) => sum + probes, 0);
  const answers = await load('/prequal', 100, 3);
  const probes = backends.reduce((sum, { probes }) => sum + probes, 0) - before;
  // Of three a request those are left out whose backend is being asked already.
  t.ok(
    probes > answers.length && probes <= 3 * answers.length + 3,
    `${probes} for ${answers.length} requests`,
  );
  t.ok(sharesOf(answers).fast! > 0.5, JSON.stringify(sharesOf(answers)));
  const { rule, backends: of } = await explain('prequal');
  t.match(rule, /pool of probe answers|too few/);
  t.equal(of.length, 3);
});

t.test('what was learnt outlives a reload, and another policy is taken up by one', async t => {
  const before = (await explain('predictive')).backends.map((one: { figures: object }) => one.figures);
  leaseway.rewrite({
    config,
    clusters: { ...clusters, predictive: cluster('predictive', { timeouts: { head: '3s' } }) },
  });
  t.equal((await leaseway.reload()).status, 200);
  const after = (await explain('predictive')).backends.map((one: { figures: object }) => one.figures);
  for (const [i, figures] of after.entries()) {
    const ratio = figures.room / before[i].room;
    t.ok(ratio > 0.5 && ratio < 2, `room ${before[i].room} before, ${figures.room} after`);
  }
  t.ok(after[0].room !== 1, 'that is not what one begins with');
  leaseway.rewrite({ config, clusters: { ...clusters, predictive: cluster('least_request') } });
  t.equal((await leaseway.reload()).status, 200);
  t.match(await explain('predictive'), { policy: 'least_request', rule: /fewest in flight/ });
  t.equal((await ask('/predictive')).status, 200);
  leaseway.rewrite({
    config,
    clusters: { ...clusters, predictive: cluster('predictive', { timeouts: { head: '3s' } }) },
  });
  t.equal((await leaseway.reload()).status, 200);
  await load('/predictive', 150, 2);
});

t.test('a backend that answers 500 at once is not flooded', async t => {
  fast.mood = 'failing';
  await load('/predictive', 60, 1);
  const answers = await load('/predictive', 60, 3);
  const failed = answers.filter(({ status }) => status === 500).length;
  t.ok(failed < 0.1 * answers.length, `${failed} of ${answers.length} failed`);
  fast.mood = 'well';
});

t.test('a backend that hangs is avoided, and comes back when it speaks again', async t => {
  slow.mood = 'hanging';
  await load('/predictive', 100, 1);
  const before = slow.requests;
  const answering = load('/predictive', 100, 3);
  const answers = await answering;
  const hung = slow.requests - before;
  t.ok(hung < 0.03 * answers.length, `${hung} of ${answers.length} went where nothing comes back`);
  slow.wake();
  await leaseway.until(async () => {
    const at = slow.requests;
    await load('/predictive', 200, 1);
    return slow.requests > at;
  });
});

t.test('a worker that dies is replaced by one that learns anew', async t => {
  await leaseway.until(async () => (await explain('predictive', '?worker=0')).worker === 0);
  leaseway.hook('worker-0', 'exit');
  await leaseway.until(async () => (await leaseway.status()).workers[0].alive === false).catch(() => {});
  await leaseway.until(async () => {
    const { status } = await leaseway.admin('/v1/clusters/predictive/explain?worker=0');
    return status === 200;
  });
  const answers = await load('/predictive', 100, 2);
  t.ok(answers.filter(({ status }) => status === 200).length > 0.95 * answers.length);
});
