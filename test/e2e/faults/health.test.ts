// Who gets work: checks with rise and fall, ejection and return, panic, slow start, and nobody left at all.

import http2 from 'node:http2';
import t from 'tap';
import { type Backend, goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { producedHere } from './codes.ts';
import { Load } from './load.ts';
import { Stage } from './stage.ts';

const INTERVAL_MS = 50;
const RISE = 2;
const FALL = 3;
/** Checks, a tick of the control plane, a look of the worker, and a busy machine. */
const SLACK_MS = 2500;
const EJECTION_MS = 800;
const SLOW_MS = 2000;

/** Answers with its name; its health is a switch. */
class Patient {
  healthy = true;
  /** Requests get 503 as well. */
  failing = false;
  hits = 0;
  readonly backend: Backend;
  readonly name: string;

  constructor(name: string, backend: Backend) {
    this.name = name;
    this.backend = backend;
  }

  static async admit(name: string): Promise<Patient> {
    const backend: Backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
      request.resume();
      if (request.url === '/healthz') {
        response.statusCode = patient.healthy ? 200 : 500;
        return void response.end();
      }
      patient.hits += 1;
      response.statusCode = patient.failing ? 503 : 200;
      response.end(patient.failing ? 'failing' : name);
    });
    const patient = new Patient(name, backend);
    return patient;
  }

  get entry(): { id: string; url: string } {
    return { id: this.name, url: this.backend.url };
  }
}

const admit = (...names: string[]): Promise<Patient[]> => Promise.all(names.map(name => Patient.admit(name)));
const [a, b, c, d, e, f] = (await admit('a', 'b', 'c', 'd', 'e', 'f')) as [
  Patient,
  Patient,
  Patient,
  Patient,
  Patient,
  Patient,
];
const crowd = await admit('p1', 'p2', 'p3', 'p4');
const sick = await admit('s1', 's2');
for (const patient of sick) patient.healthy = false;

const health = {
  http: { path: '/healthz' },
  interval: `${INTERVAL_MS}ms`,
  timeout: '1s',
  rise: RISE,
  fall: FALL,
};
const even = { policy: 'round_robin' };
const stage = await Stage.open({
  clusters: {
    checked: { backends: [a.entry, b.entry], health, balance: even },
    ejecting: {
      backends: [c.entry, d.entry],
      balance: even,
      outlier: {
        consecutive_failures: 3,
        base_ejection: `${EJECTION_MS}ms`,
        max_ejection: `${EJECTION_MS}ms`,
      },
    },
    slow: { backends: [e.entry, f.entry], health, balance: { ...even, slow_start: `${SLOW_MS}ms` } },
    panic: { backends: crowd.map(({ entry }) => entry), health, balance: even },
    nobody: { backends: sick.map(({ entry }) => entry), health, balance: { ...even, panic: 0 } },
  },
  routes: ['checked', 'ejecting', 'slow', 'panic', 'nobody'].map(name => ({
    name,
    match: { path: `/${name}` },
    cluster: name,
  })),
});
stage.keep(...[a, b, c, d, e, f, ...crowd, ...sick].map(({ backend }) => backend));
t.teardown(() => stage[Symbol.asyncDispose]());

const untilState = async (cluster: string, { name }: Patient, state: string): Promise<number> => {
  const since = performance.now();
  await stage.leaseway.until(async () => (await stage.backend(cluster, name)).state === state);
  return performance.now() - since;
};

/** Until what the control plane has found out has reached every worker: 60 answers between two looks, none by this one. */
const untilSpared = async (load: Load, patient: Patient): Promise<number> => {
  const since = performance.now();
  for (;;) {
    const { hits } = patient;
    await answersMore(load, 60);
    if (patient.hits === hits) return performance.now() - since;
    if (performance.now() - since > SLACK_MS) throw new Error(`${patient.name} still gets work`);
  }
};

/** So many more answers from anyone: time measured in requests. */
const answersMore = async (load: Load, count: number): Promise<void> => {
  const least = load.total + count;
  await until(`${count} more answers`, () => load.total >= least, 20_000);
};

t.test('a backend that fails its checks gets nothing within its bounds, and comes back', async t => {
  const load = new Load(stage.port, '/checked');
  await answersMore(load, 50);
  t.ok(load.of('a') > 0 && load.of('b') > 0, 'both serve');
  a.healthy = false;
  const downMs = await untilState('checked', a, 'down');
  t.ok(
    downMs >= INTERVAL_MS * (FALL - 2) && downMs < INTERVAL_MS * FALL + SLACK_MS,
    `down after ${Math.round(downMs)} ms`,
  );
  await untilSpared(load, a);
  const { hits } = a;
  await answersMore(load, 200);
  t.equal(a.hits, hits, 'not one of 200 requests went there');
  a.healthy = true;
  const upMs = await untilState('checked', a, 'up');
  t.ok(
    upMs >= INTERVAL_MS * (RISE - 1) * 0.5 && upMs < INTERVAL_MS * RISE + SLACK_MS,
    `up after ${Math.round(upMs)} ms`,
  );
  await until('it serves again', () => a.hits > hits + 20);
  await load.stop();
  t.same(load.failures, [], `none of ${load.total} failed`);
  stage.steady.unharmed(t);
});

t.test('a backend that fails real requests in a row is ejected, and returns', async t => {
  const load = new Load(stage.port, '/ejecting');
  await answersMore(load, 20);
  c.failing = true;
  await untilState('ejecting', c, 'down');
  t.ok((await stage.backend('ejecting', 'c')).ejectedUntilMs, 'ejected');
  const { length } = load.failures;
  t.ok(length >= 3, `${length} answers of its own reached clients before`);
  c.failing = false;
  await answersMore(load, 10);
  const hits = c.hits;
  await answersMore(load, 40);
  t.equal(c.hits, hits, 'nothing goes there meanwhile');
  await untilState('ejecting', c, 'up');
  await until('it serves again', () => c.hits > hits + 10);
  await load.stop();
  t.equal(d.hits > c.hits, true);
  stage.steady.unharmed(t);
});

t.test('when most are down health is ignored rather than crush the rest', async t => {
  const load = new Load(stage.port, '/panic');
  const [first, ...others] = crowd as [Patient, ...Patient[]];
  others[0]!.healthy = false;
  await untilState('panic', others[0]!, 'down');
  await untilSpared(load, others[0]!);
  const { hits } = others[0]!;
  await answersMore(load, 100);
  t.equal(others[0]!.hits, hits, 'one of four down: it gets nothing');
  for (const other of others) other.healthy = false;
  await until('all get work again', () => others[0]!.hits > hits + 10, 20_000);
  const before = first.hits;
  await answersMore(load, 200);
  const share = (first.hits - before) / 200;
  t.ok(share < 0.5, `the last healthy one has ${(share * 100).toFixed(0)} % of the work, not all`);
  for (const other of others) other.healthy = true;
  await untilState('panic', others[0]!, 'up');
  await load.stop();
  t.same(load.failures, [], `none of ${load.total} failed`);
  stage.steady.unharmed(t);
});

t.test('one that comes up grows into its share', async t => {
  const load = new Load(stage.port, '/slow');
  await answersMore(load, 50);
  e.healthy = false;
  await untilState('slow', e, 'down');
  await answersMore(load, 20);
  e.healthy = true;
  await untilState('slow', e, 'up');
  const first = await stage.backend('slow', 'e');
  t.ok(first.effectiveWeight < 0.5, `weight ${first.effectiveWeight} when it comes up`);
  const early = e.hits;
  const earlyTotal = load.total;
  const weights = new Set<number>([first.effectiveWeight]);
  await stage.leaseway.until(async () => {
    const { effectiveWeight } = await stage.backend('slow', 'e');
    weights.add(effectiveWeight);
    return effectiveWeight === 1;
  });
  const ramped = (e.hits - early) / (load.total - earlyTotal);
  const late = e.hits;
  const lateTotal = load.total;
  await answersMore(load, 300);
  const full = (e.hits - late) / (load.total - lateTotal);
  t.ok(weights.size >= 4, `the weight grew in steps: ${[...weights].join(' ')}`);
  t.ok(ramped < 0.42, `${(ramped * 100).toFixed(0)} % of the work while it grew`);
  t.ok(full > 0.42, `${(full * 100).toFixed(0)} % after`);
  await load.stop();
  t.same(load.failures, [], `none of ${load.total} failed`);
});

t.test('all down: 503 with Retry-After, and grpc-status 14 to gRPC clients', async t => {
  await untilState('nobody', sick[0]!, 'down');
  await untilState('nobody', sick[1]!, 'down');
  const { answer, address } = await stage.say('GET /nobody HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.equal(statusOf(answer), 503);
  t.match(answer, /\r\nRetry-After: [1-9]\d*\r\n[\s\S]*NO_BACKEND/);
  t.match(await stage.lineFrom(address), {
    status: 503,
    error: 'NO_BACKEND',
    attempts: [],
    detail: /nobody/,
  });
  const session = http2.connect(stage.leaseway.url());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/nobody/svc/Method',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end();
  stream.resume();
  const headers = await new Promise<http2.IncomingHttpHeaders>(resolve => stream.on('response', resolve));
  t.match(headers, { ':status': 200, 'grpc-status': '14', 'grpc-message': /NO_BACKEND/ }, 'trailers only');
  session.destroy();
  t.equal(sick[0]!.hits + sick[1]!.hits, 0, 'nothing was sent to any of them');
  stage.steady.unharmed(t, 100);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
