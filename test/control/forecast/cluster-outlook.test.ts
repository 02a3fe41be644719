import t from 'tap';
import { ClusterOutlook } from '../../../lib/control/forecast/cluster-outlook.ts';
import { CLUSTER_ITSELF, type Observed, Outlooks } from '../../../lib/control/forecast/outlooks.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ForecastWorld } from '../../support/forecast-world.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { livedOutlook } from '../../support/outlook-past.ts';

const MINUTE_MS = 60_000;
const NOW_MS = Date.parse('2026-11-20T12:00:00Z');
const plainly = () => 1;

/** So many minutes of the same work. */
function live(
  outlook: ClusterOutlook,
  minutes: number,
  demand: number,
  working: number,
  fromMs = NOW_MS,
): number {
  for (let i = 0; i <= minutes; i++) outlook.observe(demand, working, fromMs + i * MINUTE_MS);
  return fromMs + minutes * MINUTE_MS;
}

t.test('work is foreseen for all together, and shown as the share of those that work now', async t => {
  const outlook = new ClusterOutlook('web');
  t.equal(outlook.report(NOW_MS, plainly), null, 'nothing was seen');
  outlook.observe(3, 4, NOW_MS - MINUTE_MS);
  const [first] = outlook.report(NOW_MS, plainly)!.horizons;
  t.match(first, { p50: 0.75, p90: 0.75, demandP90: 3 }, 'until a minute is over, the last value');
  const atMs = live(outlook, 90, 2, 4);
  const [near] = outlook.report(atMs, plainly)!.horizons;
  t.ok(Math.abs(near!.p50 - 0.5) < 0.02, `${near!.p50}`);
  // Two leave: the others bear what they bore.
  live(outlook, 1, 2, 2, atMs);
  const [fewer] = outlook.report(atMs, plainly)!.horizons;
  t.ok(Math.abs(fewer!.p50 - 1) < 0.05, `${fewer!.p50}`);
  t.ok(fewer!.demandP90 >= 2 && fewer!.demandP90 < 2.5, `${fewer!.demandP90}`);
  const [eventful] = outlook.report(atMs, wallMs => (wallMs === atMs + 5 * MINUTE_MS ? 3 : 1))!.horizons;
  t.ok(Math.abs(eventful!.p50 - 3) < 0.15, 'an event then multiplies it');
});

t.test('a cluster of another size begins anew; a moment of it does not', async t => {
  const outlook = new ClusterOutlook('web');
  let atMs = live(outlook, 30, 0.5, 1);
  atMs = live(outlook, 5, 9, 12, atMs);
  atMs = live(outlook, 5, 0.5, 1, atMs);
  t.ok(outlook.report(atMs, plainly)!.knownMs > 30 * MINUTE_MS);
  atMs = live(outlook, 12, 9, 12, atMs);
  atMs = live(outlook, 5, 9, 12, atMs);
  const { knownMs, horizons } = outlook.report(atMs, plainly)!;
  t.ok(knownMs < 10 * MINUTE_MS);
  t.ok(Math.abs(horizons[0]!.p50 - 0.75) < 0.05, `${horizons[0]!.p50}`);
});

t.test('what was learned comes back as it was', async t => {
  const outlook = livedOutlook('web', 14, NOW_MS);
  const next = new ClusterOutlook('web');
  next.restore(JSON.parse(JSON.stringify(outlook.save())));
  outlook.observe(1.2, 3, NOW_MS);
  next.observe(1.2, 3, NOW_MS);
  const [before, after] = [outlook, next].map(one => one.report(NOW_MS, plainly)!);
  t.equal(after!.knownMs, before!.knownMs);
  for (const [i, horizon] of after!.horizons.entries()) {
    const was = before!.horizons[i]!;
    t.same(horizon.quality, was.quality);
    t.ok(Math.abs(horizon.p50 / was.p50 - 1) < 0.1, `${horizon.p50}, before ${was.p50}`);
  }
  t.ok(next.dueForTraining);
});

t.test('what does not fit is as if nothing was known', async t => {
  const good = JSON.parse(JSON.stringify(livedOutlook('web', 2, NOW_MS).save()));
  const { outlook } = good;
  const cases: Record<string, unknown> = {
    nothing: undefined,
    'a number': 7,
    'no unit': { ...good, unit: 'three' },
    'no history': { ...good, outlook: { ...outlook, history: '' } },
    'too long a history': { ...good, outlook: { ...outlook, history: 'AAAA'.repeat(30_000) } },
    'no minute': { ...good, outlook: { ...outlook, minute: null } },
    'no models': { ...good, outlook: { ...outlook, models: {} } },
    'a reach too few': { ...good, outlook: { ...outlook, reaches: outlook.reaches.slice(1) } },
    'weights that are none': {
      ...good,
      outlook: {
        ...outlook,
        reaches: outlook.reaches.map((reach: object) => ({ ...reach, without: [0, 0] })),
      },
    },
    'a regression cut short': {
      ...good,
      outlook: {
        ...outlook,
        reaches: outlook.reaches.map((reach: object) => ({ ...reach, squares: 'AAAA' })),
      },
    },
    'quantiles that nothing leads to': {
      ...good,
      outlook: {
        ...outlook,
        reaches: outlook.reaches.map((reach: { offsets: number[] }) => ({
          ...reach,
          offsets: reach.offsets.map(() => 900),
        })),
      },
    },
  };
  for (const [what, bad] of Object.entries(cases)) {
    const next = new ClusterOutlook('web');
    next.restore(bad);
    next.observe(1, 3, NOW_MS);
    t.equal(next.report(NOW_MS, plainly)!.knownMs, 0, what);
    t.equal(live(next, 3, 1, 3), NOW_MS + 3 * MINUTE_MS, 'and it lives');
  }
});

const observed = (wantsOutlook = true): Observed => ({
  wantsOutlook,
  demand: () => ({ demand: 1, working: 2 }),
  factorAt: plainly,
});

function outlooks(recall: (cluster: string, id: string) => unknown = () => undefined) {
  const log = new MemoryLog();
  const hands = { clock: new FakeClock(), random: seededRandom(1), log, remembered: { recall } };
  return { all: new Outlooks(hands), log };
}

t.test('sixty-four clusters have one, and the others are told', async t => {
  const { all, log } = outlooks();
  const clusters = new Map(Array.from({ length: 70 }, (_, i) => [`c${i}`, observed()]));
  for (let i = 0; i < 80; i++) all.tick(clusters);
  t.not(all.report('c63', observed()), null);
  t.equal(all.report('c64', observed()), null);
  t.equal(log.count('warn', 'have no outlook'), 1);
  clusters.delete('c0');
  all.forget('c0');
  all.tick(clusters);
  all.tick(clusters);
  t.not(all.report('c64', observed()), null, 'one leaves, the next has its place');
});

t.test('it remembers under the cluster’s own name, and none is kept where it is off', async t => {
  const asked: string[] = [];
  const { all } = outlooks((cluster, id) => void asked.push(`${cluster}/${id}`));
  const clusters = new Map([['web', observed()]]);
  all.tick(clusters);
  all.tick(clusters);
  t.same(asked, [`web/${CLUSTER_ITSELF}`]);
  t.same(
    [...all.learned()].map(({ cluster, id }) => [cluster, id]),
    [['web', CLUSTER_ITSELF]],
  );
  all.tick(new Map([['web', observed(false)]]));
  t.equal(all.report('web', observed(false)), null);
  t.same([...all.learned()], []);
});

t.test('a cluster tells its work without that of events, whoever takes it', async t => {
  const world = new ForecastWorld({ forecast: { outlook: 'auto' } });
  t.ok(world.forecast.wantsOutlook);
  world.pass(20_000);
  const { demand, working } = world.forecast.demand();
  t.equal(working, 3);
  t.ok(Math.abs(demand - 0.9) < 0.1, `${demand}: 9 requests where each bears 10`);
  world.at('a').working = false;
  world.pass(20_000);
  const fewer = world.forecast.demand();
  t.equal(fewer.working, 2);
  t.ok(Math.abs(fewer.demand - 0.9) < 0.1, `${fewer.demand}`);
  world.announce({ inMs: 60_000, forMs: 60_000, factor: 4 });
  world.pass(250);
  t.equal(world.forecast.factorAt(world.wallMs), 1);
  t.equal(world.forecast.factorAt(world.wallMs + 90_000), 4);
  world.configure({ forecast: { outlook: 'off' } });
  t.notOk(world.forecast.wantsOutlook);
  world.configure({ forecast: 'off' });
  t.notOk(world.forecast.wantsOutlook);
});
