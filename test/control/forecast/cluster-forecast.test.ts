import t, { type Test } from 'tap';
import { NO_SIGNALS, type Reading } from '../../../lib/plan/load/signals.ts';
import { ForecastWorld } from '../../support/forecast-world.ts';

const reading = (value: number, atMs: number): Reading => ({ value, atMs, source: 'orca' });

t.test('work leaves a backend before its announced job and comes back after, once', async t => {
  const world = new ForecastWorld();
  world.pass(60_000);
  t.ok(Math.abs(world.predictedOf('b') - 0.3) < 0.1, `as calm as it is: ${world.predictedOf('b')}`);
  const announcedMs = world.wallMs;
  world.announce({ backends: ['b'], inMs: 20_000, forMs: 20_000 });
  const changes: [seconds: number, gate: number][] = [];
  let before = 0;
  world.pass(70_000, () => {
    const atMs = world.wallMs - announcedMs;
    world.at('b').slowness = atMs >= 20_000 && atMs < 40_000 ? 4 : 1;
    const gate = world.gateOf('b');
    if (gate !== before) changes.push([atMs / 1000, gate]);
    before = gate;
    t.equal(world.gateOf('a') + world.gateOf('c'), 0);
  });
  t.equal(changes.length, 2, `shut once, opened once: ${JSON.stringify(changes)}`);
  const [[shut], [opened]] = changes as [[number, number], [number, number]];
  t.ok(shut >= 9 && shut <= 15, `shut about ten seconds before: at ${shut} s`);
  t.ok(opened >= 40 && opened <= 43, `open again when it is over: at ${opened} s`);
});

t.test(
  'who stands still becomes a last resort between two ticks, and is open again as soon as it answers',
  async t => {
    const world = new ForecastWorld();
    world.pass(30_000);
    const { forecast } = world;
    t.equal(forecast.heed('b', 140, world.nowMs + 50), false, 'not so long yet');
    t.equal(forecast.heed('b', 190, world.nowMs + 100), true);
    t.equal(forecast.gateOf(1), 1);
    t.match(forecast.foreseen('b').gateReason, /stands still.*usually in 20 ms/);
    t.equal(forecast.heed('b', 240, world.nowMs + 150), false, 'that is known');
    world.at('b').silentMs = 340;
    world.pass(250);
    t.equal(world.gateOf('b'), 1, 'the tick says the same');
    t.equal(forecast.heed('b', 0, world.nowMs + 50), true);
    t.equal(forecast.gateOf(1), 0);
    world.at('b').silentMs = 0;
    world.pass(250);
    t.equal(world.gateOf('b'), 0);
  },
);

t.test(
  'long requests are usual where they are, and of nobody is more expected than of the others',
  async t => {
    const world = new ForecastWorld();
    for (const backend of world.backends) backend.serviceMs = 200;
    world.pass(10_000);
    t.equal(world.forecast.heed('b', 590, world.nowMs), false);
    t.equal(world.forecast.heed('b', 610, world.nowMs), true);
    const fresh = new ForecastWorld();
    fresh.at('a').silentMs = 400;
    fresh.pass(500);
    t.equal(fresh.gateOf('a'), 0, 'how long answers take here nobody knows yet');
  },
);

t.test('in panic, off, and where no work goes, standing still counts for nothing', async t => {
  const world = new ForecastWorld();
  world.pass(10_000);
  world.panic = true;
  world.at('b').silentMs = 900;
  world.pass(250);
  t.equal(world.gateOf('b'), 0);
  t.equal(world.forecast.heed('b', 900, world.nowMs), false);
  world.panic = false;
  world.at('b').working = false;
  world.pass(250);
  t.equal(world.forecast.heed('b', 900, world.nowMs), false);
  t.equal(world.forecast.heed('nobody', 900, world.nowMs), false);
  const off = new ForecastWorld({ balance: { gate: 'off' } });
  off.pass(10_000);
  t.equal(off.forecast.heed('b', 900, off.nowMs), false);
});

t.test('the gate shuts though all answer slower than usual, as long as their loads have room', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  for (const backend of world.backends) backend.serviceMs = 100;
  world.announce({ backends: ['b'], inMs: 12_000, forMs: 60_000 });
  world.pass(4_000);
  t.equal(world.gateOf('b'), 2);
  world.pass(7_000, () => t.equal(world.gateOf('b'), 2));
});

t.test('when more comes than all can do, it is shared: no herd goes from one to the next', async t => {
  const world = new ForecastWorld();
  for (const backend of world.backends) backend.serviceMs = 50;
  world.arrivals = 30;
  world.pass(30_000);
  world.at('b').slowness = 2;
  world.arrivals = 52;
  const before = world.backends.map(({ counts }) => counts.attempts);
  let alone = 0;
  world.pass(30_000, () => {
    if (world.backends.filter(({ id }) => world.gateOf(id) === 0).length === 1) alone += 1;
  });
  const [a, , c] = world.backends.map(({ counts }, i) => counts.attempts - before[i]!);
  t.equal(alone, 0, 'ticks in which one has all the work');
  t.ok(Math.abs(a! - c!) < 0.02 * (a! + c!), `alike ones have alike work: ${a} and ${c}`);
  const waiting = world.backends.reduce((sum, { inFlight }) => sum + inFlight, 0);
  t.ok(waiting < 300, `two a tick are too many; ${waiting} wait`);
});

/** A job of 5 s each 40 s on one of four, of which nobody is told; how the gate stands as each begins. */
function learnedJob(t: Test, shown: 'by processors' | 'by work in flight'): string {
  const world = new ForecastWorld({}, ['a', 'b', 'c', 'd']);
  const beganMs = world.nowMs;
  let starts = '';
  world.pass(900_000, () => {
    const phaseMs = (world.nowMs - beganMs) % 40_000;
    const works = phaseMs >= 20_000 && phaseMs < 25_000;
    world.at('b').slowness = works ? 4 : 1;
    if (shown === 'by processors')
      world.at('b').signals = { ...NO_SIGNALS, cpu: reading(works ? 0.95 : 0.3, world.nowMs) };
    if (phaseMs === 20_000) starts += world.gateOf('b') === 0 ? '-' : 'x';
    if (['a', 'c', 'd'].some(id => world.gateOf(id) > 0)) t.fail('the others are left alone');
  });
  t.comment(`${shown}: ${starts}`);
  return starts;
}

t.test(
  'where connections are the load, they tell what the others can bear, not the few requests that open some',
  async t => {
    const world = new ForecastWorld();
    world.places = 30;
    world.work = 0;
    for (const backend of world.backends) backend.connections = 15;
    // Whom the job makes leave b comes again there, now and then at a.
    const again = (): void => {
      world.at('b').counts.attempts += 1;
      if (world.nowMs % 1_000 === 0) world.at('a').counts.attempts += 1;
    };
    world.pass(30_000, again);
    world.announce({ backends: ['b'], inMs: 12_000, forMs: 60_000, factor: 3 });
    world.pass(4_000, again);
    world.pass(7_000, () => {
      again();
      t.equal(world.gateOf('b'), 2, 'the others have 30 places left');
    });
    for (const id of ['a', 'c']) world.at(id).connections = 26;
    world.pass(3_000, again);
    t.equal(world.gateOf('b'), 0, 'and now too few for all');
  },
);

t.test('work leaves a backend before a job that it learned', async t => {
  t.match(learnedJob(t, 'by processors'), /^-{3,5}x{15,}$/);
  const tried = learnedJob(t, 'by work in flight');
  t.match(tried, /^-{3,5}xxx/);
  t.ok(
    tried.slice(5).replaceAll('-', '').length >= 0.5 * tried.slice(5).length,
    'who shows it by being slow is tried now and then, as nobody knows else whether the job still comes',
  );
});

t.test('what concerns all alike gates nobody', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  world.announce({ inMs: 5_000, forMs: 20_000 });
  world.pass(30_000, () => {
    for (const { id } of world.backends) t.equal(world.gateOf(id), 0);
  });
  t.ok(world.forecast.report(world.wallMs).meanPredicted! < 1);
});

t.test('operators, checks and panic count for more than the gate', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  world.announce({ backends: ['b'], inMs: 5_000, forMs: 60_000 });
  world.pass(5_000);
  t.equal(world.gateOf('b'), 2);
  world.panic = true;
  world.pass(1_000);
  t.equal(world.gateOf('b'), 0);
  world.panic = false;
  world.pass(1_000);
  t.equal(world.gateOf('b'), 2);
  world.at('a').working = false;
  world.at('c').working = false;
  world.pass(1_000);
  t.not(world.gateOf('b'), 2, 'the last one is never shut');
  world.at('b').working = false;
  world.pass(1_000);
  t.equal(world.outlooks.size, 0);
});

t.test('backends come and go, and one in the place of another begins anew', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  world.at('b').slotGeneration = 2;
  for (const key of ['attempts', 'successes', 'latencySumMs'] as const) world.at('b').counts[key] = 0;
  world.pass(500);
  t.equal(world.report('b').load, null, 'nothing is known of it yet');
  t.equal(world.predictedOf('b'), -0.001);
  world.pass(5_000);
  t.ok(world.report('b').load! > 0.1);
  world.backends.splice(2, 1);
  world.pass(1_000);
  t.strictSame(
    world.forecast.report(world.wallMs).backends.map(({ id }) => id),
    ['a', 'b'],
  );
});

t.test('a wall clock that is set moves events and harms no forecast', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  world.announce({ backends: ['b'], inMs: 3_600_000, forMs: 60_000 });
  world.pass(5_000);
  t.equal(world.gateOf('b'), 0);
  world.wallMs += 3_600_000 - 5_000;
  world.pass(2_000);
  t.equal(world.gateOf('b'), 2, 'the clock was put on: the job is about to begin');
  world.wallMs -= 7_200_000;
  world.pass(5_000);
  t.equal(world.gateOf('b'), 0, 'it was put back: the job is far away');
  for (const { id } of world.backends) {
    const report = world.report(id);
    t.equal(report.state, 'fine');
    for (const { p50, p90 } of report.horizons)
      t.ok(p50 >= 0 && p90 >= p50 - 0.05 && p90 < 1, `${p50}, ${p90}`);
  }
});

t.test('a report that is late widens the forecast, and one that is silent counts no more', async t => {
  const world = new ForecastWorld();
  let fresh = true;
  let n = 0;
  world.pass(120_000, () => {
    if (fresh) {
      const cpu = 0.5 + 0.1 * Math.sin(n++ / 9) + 0.04 * (((n * 7919) % 13) / 13 - 0.5);
      world.at('b').signals = { ...NO_SIGNALS, cpu: reading(cpu, world.nowMs) };
    }
    fresh = world.nowMs % 500 === 0;
  });
  const before = world.report('b');
  t.equal(before.resource, 'cpu');
  t.ok(before.ageMs! <= 500);
  fresh = false;
  world.pass(8_000);
  const stale = world.report('b');
  t.ok(stale.ageMs! >= 8_000, `${stale.ageMs} ms`);
  const width = (report: typeof before): number => report.horizons[2]!.p90 - report.horizons[2]!.p50;
  t.ok(width(stale) >= width(before), `${width(stale)} against ${width(before)}`);
  world.pass(5_000);
  const silent = world.report('b');
  t.equal(silent.doubt, 'silent');
  t.equal(silent.resource, 'in_flight');
  t.ok(silent.ageMs! < 500);
});

t.test(
  'a backend that claims to be calm while its latency and work have tripled is not believed',
  async t => {
    const world = new ForecastWorld();
    const claim = (): void => {
      for (const backend of world.backends)
        backend.signals = { ...NO_SIGNALS, cpu: reading(0.05, world.nowMs) };
    };
    world.concurrency = 60;
    world.pass(60_000, claim);
    t.equal(world.report('b').doubt, 'none');
    world.at('b').slowness = 3;
    world.pass(8_000, claim);
    const report = world.report('b');
    t.equal(report.doubt, 'contradicts');
    t.equal(
      report.shares.some(({ resource }) => resource === 'cpu'),
      false,
      'its word counts no more',
    );
    world.at('b').slowness = 1;
    world.pass(30_000, claim);
    t.equal(world.report('b').doubt, 'none');
  },
);

t.test('reports that are no shares are left out and said', async t => {
  const world = new ForecastWorld();
  for (const value of [Number.NaN, -1, 900, Number.POSITIVE_INFINITY]) {
    world.at('b').signals = { ...NO_SIGNALS, cpu: reading(value, world.nowMs) };
    world.pass(2_000, () => {
      world.at('b').signals = { ...NO_SIGNALS, cpu: reading(value, world.nowMs) };
    });
    const report = world.report('b');
    t.equal(report.doubt, 'absurd', `${value}`);
    t.ok(report.predicted! < 0.6);
    t.equal(report.state, 'fine');
  }
});

t.test('a backend that answers errors fast does not look idle', async t => {
  const world = new ForecastWorld();
  world.pass(30_000);
  world.at('b').errorShare = 1;
  world.at('b').slowness = 0.05;
  world.pass(6_000);
  t.equal(world.report('b').resource, 'errors');
  t.ok(world.gateOf('b') > 0);
  world.at('b').errorShare = 0;
  world.at('b').slowness = 1;
  world.pass(60_000);
  t.equal(world.gateOf('b'), 0);
});

t.test('without a forecast nothing is published, without a gate nobody is gated', async t => {
  const off = new ForecastWorld({ forecast: 'off' });
  off.pass(5_000);
  t.equal(off.outlooks.size, 0);
  const open = new ForecastWorld({ balance: { gate: 'off' } });
  open.pass(10_000);
  open.announce({ backends: ['b'], inMs: 7_000, forMs: 30_000 });
  open.pass(4_000);
  t.equal(open.gateOf('b'), 0);
  t.ok(open.predictedOf('b') > 0.9, 'but it is foreseen');
});

t.test('quality is measured over the cluster', async t => {
  const world = new ForecastWorld();
  world.pass(240_000);
  const { quality } = world.forecast.report(world.wallMs);
  t.strictSame(
    quality.map(({ horizonMs }) => horizonMs),
    [5_000, 10_000, 30_000],
  );
  for (const { mase, pinballP90, coverageP90 } of quality) {
    t.ok(mase > 0.3 && mase < 1, `${mase}`);
    t.ok(pinballP90 > 0);
    t.ok(coverageP90 > 0.7 && coverageP90 <= 1, `${coverageP90}`);
  }
});
