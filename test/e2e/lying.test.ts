// Backends whose load reports are wrong, through the running program: a liar, a silent one, one of nonsense, and one that fails at once (F8).

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';
import { parsePrometheus } from '../support/prometheus.ts';

const REPORT = 'endpoint-load-metrics';
const USUAL_MS = 50;
const SLOWED_MS = 800;
/** 30 a second: any two of the three, 40 a second each, can bear it. */
const EVERY_MS = 33;
/** 91 a second: the slow one is needed, as the other two bear 80. */
const FLOOD_EVERY_MS = 11;
/** A liar is found by what is usual for it, which takes half a minute to learn. */
const SETTLED_SECONDS = 32;
const NONSENSE = [
  'TEXT cpu_utilization=NaN',
  'TEXT cpu_utilization=-1',
  'TEXT cpu_utilization=1e99',
  'utter nonsense',
];

/** Says of its load what it is told to, be it true or not. */
class Talker {
  readonly id: string;
  serviceMs = USUAL_MS;
  /** Requests at once; the rest waits. */
  places = 2;
  status = 200;
  /** Null says nothing. */
  report: (() => string) | null = () => 'TEXT cpu_utilization=0.05';
  requests = 0;
  #going = 0;
  readonly #waiting: (() => void)[] = [];

  /** What an honest one says. */
  readonly honestly = (): string => `TEXT cpu_utilization=${Math.min(1, this.#going / this.places)}`;

  readonly server = http.createServer((_, response) => {
    this.requests += 1;
    response.statusCode = this.status;
    response.setHeader('x-backend', this.id);
    if (this.report !== null) response.setHeader(REPORT, this.report());
    if (this.status === 500) response.end('broken');
    else if (this.#going < this.places) this.#begin(response);
    else this.#waiting.push(() => this.#begin(response));
  });

  constructor(id: string) {
    this.id = id;
  }

  #begin(response: http.ServerResponse): void {
    this.#going += 1;
    setTimeout(() => {
      this.#going -= 1;
      response.end('ok');
      this.#waiting.shift()?.();
    }, this.serviceMs);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

const agent = new http.Agent({ keepAlive: true });

/** A cluster of three, and its clients: open loop, so that a slow backend is not spared by waiting clients. */
class World {
  readonly name: string;
  /** Where that is not the question, chance and a busy machine shall gate nobody. */
  readonly gated: boolean;
  readonly backends = ['odd', 'fine', 'well'].map(id => new Talker(id));
  readonly odd = this.backends[0]!;
  readonly statuses = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string) {
    this.name = name;
    this.gated = name !== 'silent' && name !== 'absurd';
  }

  async listen(): Promise<object> {
    for (const { server } of this.backends) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    const backends = this.backends.map(({ id, url }) => ({ id, url }));
    return { backends, signals: ['orca'], balance: { gate: this.gated ? {} : 'off' } };
  }

  /** By the clock: a tick that comes late asks for those that it missed. */
  ask(everyMs: number): void {
    clearInterval(this.#timer);
    let dueMs = performance.now();
    this.#timer = setInterval(() => {
      for (; dueMs <= performance.now(); dueMs += everyMs) this.#askOnce();
    }, everyMs);
  }

  #askOnce(): void {
    const count = (status: number) => this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    http
      .get({ host: '127.0.0.1', port: leaseway.port(), path: `/${this.name}`, agent }, response => {
        response.resume();
        response.on('end', () => count(response.statusCode!));
      })
      .on('error', () => count(0));
  }

  /** Share of the odd one in the next so many requests that reach backends. */
  async share(requests: number): Promise<number> {
    const all = (): number => this.backends.reduce((sum, backend) => sum + backend.requests, 0);
    const [before, odd] = [all(), this.odd.requests];
    await leaseway.until(() => all() - before >= requests);
    return (this.odd.requests - odd) / (all() - before);
  }

  async shown(id = 'odd'): Promise<Json> {
    const { backends } = await leaseway.status();
    return backends.find((one: Json) => one.cluster === this.name && one.id === id);
  }

  async forecast(id = 'odd'): Promise<Json> {
    return (await leaseway.admin(`/v1/forecasts/${this.name}/${id}`)).body.forecast;
  }

  /** Until the odd one has about as much as the others. */
  async evenShare(): Promise<void> {
    await leaseway.until(async () => {
      const share = await this.share(100);
      return share > 0.1 && share < 0.7;
    }, 60_000);
  }

  /** Once it is reported. */
  async cpu(): Promise<Json> {
    return leaseway.until(async () =>
      (await this.shown()).signals.find(({ signal }: Json) => signal === 'cpu'),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { server } of this.backends) {
      server.closeAllConnections();
      server.close();
    }
  }
}

const worlds = ['lying', 'flooded', 'silent', 'absurd', 'failing'].map(name => new World(name));
const [lying, flooded, silent, absurd, failing] = worlds as [World, World, World, World, World];
const clusters: Record<string, unknown> = {};
for (const world of worlds) clusters[world.name] = await world.listen();
const leaseway = await Leaseway.start({
  config: {
    routes: worlds.map(({ name }) => ({ name, match: { path: `/${name}` }, cluster: name })),
  },
  clusters,
});
t.teardown(async () => {
  for (const world of worlds) await world.close();
  agent.destroy();
  await leaseway[Symbol.asyncDispose]();
});

async function metric(family: string, cluster: string, backend = 'odd'): Promise<number> {
  const families = parsePrometheus((await leaseway.admin('/metrics')).text);
  return families
    .get(family)!
    .samples.find(({ labels }) => labels.cluster === cluster && labels.backend === backend)!.value;
}

const others = async (t: Test, world: World): Promise<void> => {
  for (const id of ['fine', 'well']) t.match(await world.shown(id), { state: 'up', doubt: 'none' }, id);
};

// All at once: each has a cluster of its own.
t.jobs = 5;
for (const world of worlds) world.ask(EVERY_MS);

t.test('calm reports while it is slow: work leaves it all the same', async t => {
  await lying.cpu();
  await lying.evenShare();
  Object.assign(lying.odd, { serviceMs: SLOWED_MS, places: 1_000 });
  let share = 1;
  await leaseway.until(async () => {
    share = await lying.share(100);
    return share < 0.1;
  });
  t.comment(`share ${share.toFixed(3)} when it is slow`);
  t.ok(Math.abs((await lying.cpu()).value - 0.05) < 1e-6, 'though it says the same as ever');
  t.same([...lying.statuses.keys()], [200]);
  await others(t, lying);
});

t.test('calm reports in a flood that others admit: flagged and discounted', async t => {
  for (const honest of flooded.backends.slice(1)) honest.report = honest.honestly;
  await leaseway.until(async () => (await flooded.forecast()).seconds.length > SETTLED_SECONDS, 60_000);
  t.match(await flooded.shown(), { doubt: 'none' });
  Object.assign(flooded.odd, { serviceMs: SLOWED_MS, places: 1_000 });
  flooded.ask(FLOOD_EVERY_MS);
  await leaseway.until(async () => (await flooded.shown()).doubt === 'contradicts', 60_000);
  t.equal(await metric('leaseway_backend_report_doubt', 'flooded'), 1);
  const { shares, load } = await flooded.forecast();
  t.notOk(
    shares.some(({ resource }: Json) => resource === 'cpu'),
    `its reports count no more: ${JSON.stringify(shares)}`,
  );
  t.ok(Math.abs((await flooded.cpu()).value - 0.05) < 1e-6, 'though it says the same as ever');
  for (const id of ['fine', 'well'])
    t.match(await flooded.shown(id), { state: 'up', doubt: 'none' }, `${id} says how busy it is`);
  flooded.ask(EVERY_MS);
  let after = 1;
  await leaseway.until(async () => {
    after = await flooded.share(60);
    return after < 0.1;
  }, 30_000);
  t.comment(`share ${after.toFixed(2)} when others can do it; load ${load}`);
  t.same([...flooded.statuses.keys()], [200]);
});

t.test('it stops reporting: the age grows, nothing freezes, work goes on', async t => {
  const { value } = await silent.cpu();
  t.ok(Math.abs(value - 0.05) < 1e-6);
  silent.odd.report = null;
  const ages: number[] = [];
  await leaseway.until(async () => {
    ages.push((await silent.cpu()).ageMs);
    return ages.at(-1)! > 4_000;
  });
  t.ok(
    ages.slice(-10).every((age, i, last) => i === 0 || age > last[i - 1]!),
    `${ages.slice(-10)}`,
  );
  await leaseway.until(async () => (await silent.shown()).doubt === 'silent');
  const atMs = (await silent.forecast()).seconds.at(-1).atMs;
  await silent.evenShare();
  t.match(await silent.shown(), { state: 'up' });
  const forecast = await silent.forecast();
  t.ok(forecast.seconds.at(-1).atMs > atMs, 'what the proxy sees goes on');
  t.ok(forecast.ageMs < 5_000, `the load is as old as what is seen: ${forecast.ageMs} ms`);
  t.ok(forecast.shares.every(({ resource }: Json) => resource !== 'cpu'));
  silent.odd.report = () => 'TEXT cpu_utilization=0.06';
  await leaseway.until(async () => (await silent.shown()).doubt === 'none');
  t.same([...silent.statuses.keys()], [200]);
  await others(t, silent);
});

t.test('nonsense is refused and counted, and work is as it was', async t => {
  const { value } = await absurd.cpu();
  const refused = () => metric('leaseway_signal_values_refused_total', 'absurd');
  t.equal(await refused(), 0);
  for (const report of NONSENSE) {
    const before = await refused();
    absurd.odd.report = () => report;
    await leaseway.until(async () => (await refused()) > before + 3, 60_000);
  }
  t.equal((await absurd.cpu()).value, value, 'what it said before stays, and grows old');
  await absurd.evenShare();
  t.match(await absurd.shown(), { state: 'up', effectiveWeight: 1 });
  const { load, predicted } = await absurd.forecast();
  t.ok(load >= 0 && load < 1 && predicted >= 0 && predicted < 1, `load ${load}, predicted ${predicted}`);
  t.equal(await metric('leaseway_signal_values_refused_total', 'absurd', 'fine'), 0);
  t.same([...absurd.statuses.keys()], [200]);
  await others(t, absurd);
});

t.test('errors at once do not look fast', async t => {
  await failing.cpu();
  const before = await failing.share(200);
  t.ok(before > 0.1 && before < 0.7, `share before ${before.toFixed(2)}`);
  failing.odd.status = 500;
  failing.odd.report = () => 'TEXT cpu_utilization=0';
  await failing.share(60);
  const share = await failing.share(300);
  t.comment(`share ${before.toFixed(3)} before, ${share.toFixed(3)} while failing`);
  t.ok(share < 0.5 * before && share < 0.12, `share ${share.toFixed(2)}`);
  await others(t, failing);
});
