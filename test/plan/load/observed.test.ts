// What the proxy sees of a backend by itself, and that nothing makes a figure of it that cannot be.

import t from 'tap';
import { type Counts, ObservedLoad } from '../../../lib/plan/load/observed.ts';

const TICK_MS = 100;
const NONE: Counts = {
  ...{ attempts: 0, successes: 0, serverErrors: 0, failures: 0, cancelled: 0 },
  ...{ latencySumMs: 0, bytesIn: 0, bytesOut: 0 },
};

/** A backend whose counters rise by `perTick` ten times a second. */
class Watched {
  readonly load = new ObservedLoad();
  counts = { ...NONE };
  nowMs = 50_000;
  inFlight = 0;
  connections = 0;

  look(): void {
    this.load.observe({ ...this.counts }, this.inFlight, this.connections, this.nowMs);
  }

  run(ticks: number, perTick: Partial<Counts> = {}, tickMs = TICK_MS): void {
    for (let i = 0; i < ticks; i++) {
      this.nowMs += tickMs;
      for (const [name, more] of Object.entries(perTick)) this.counts[name as keyof Counts] += more;
      this.look();
    }
  }
}

/** Ten requests a tick, each answered in 20 ms. */
const BUSY = { attempts: 10, successes: 10, latencySumMs: 200, bytesIn: 3_000, bytesOut: 50_000 };

t.test('a second is rates, sizes, latency and means, and there is none before it is over', async t => {
  const watched = new Watched();
  watched.inFlight = 50;
  watched.look();
  watched.inFlight = 4;
  watched.connections = 7;
  watched.run(5, BUSY);
  t.equal(watched.load.now, null, 'half a second is none');
  watched.inFlight = 8;
  watched.run(5, BUSY);
  t.same(watched.load.now, {
    ...{ atMs: 51_000, requestsPerSecond: 100, answersPerSecond: 100, errorsPerSecond: 0, latencyMs: 20 },
    ...{ inFlight: 6, connections: 7, bytesInPerSecond: 30_000, bytesOutPerSecond: 500_000 },
  });
});

t.test('a series of seconds, a minute of it, each closed once', async t => {
  const watched = new Watched();
  watched.look();
  let closed = 0;
  for (let tick = 0; tick < 700; tick++) {
    // Second by second one more request in each tick.
    const attempts = 1 + Math.floor(tick / 10);
    watched.run(1, { attempts, bytesIn: 10 * attempts, bytesOut: 100 * attempts });
    if (watched.load.closed) closed += 1;
  }
  const { seconds } = watched.load;
  t.equal(closed, 70);
  t.equal(seconds.length, 60, 'older ones are forgotten');
  t.same(
    seconds.map(({ atMs }) => atMs),
    seconds.map((_, i) => 50_000 + 1000 * (11 + i)),
  );
  t.same(
    seconds.map(({ requestsPerSecond }) => requestsPerSecond),
    seconds.map((_, i) => 10 * (11 + i)),
  );
  t.ok(
    seconds.every(
      second =>
        second.bytesInPerSecond === 10 * second.requestsPerSecond &&
        second.bytesOutPerSecond === 100 * second.requestsPerSecond,
    ),
  );
});

t.test('a tick that comes late or a little early costs no accuracy', async t => {
  const watched = new Watched();
  watched.look();
  watched.run(1, { attempts: 400, bytesIn: 400, bytesOut: 8_000 }, 4_000);
  t.match(
    watched.load.now,
    { requestsPerSecond: 100, bytesInPerSecond: 100, bytesOutPerSecond: 2_000 },
    'four seconds in one',
  );
  watched.run(1, { attempts: 95 }, 950);
  t.equal(watched.load.closed, true, 'early by 50 ms');
  t.ok(Math.abs(watched.load.now!.requestsPerSecond - 100) < 1e-9);
});

t.test('many ticks are thinned out, and the second is as long as ever', async t => {
  const watched = new Watched();
  watched.look();
  watched.run(3_000, { attempts: 1 }, 1);
  t.equal(watched.load.seconds.length, 3);
  for (const { requestsPerSecond } of watched.load.seconds)
    t.ok(Math.abs(requestsPerSecond - 1000) < 1e-6, `${requestsPerSecond} of 1000`);
});

t.test('latency is of what was answered; nothing answered has none', async t => {
  const watched = new Watched();
  watched.look();
  watched.run(1_200, BUSY);
  watched.run(20, { attempts: 5, failures: 5 });
  t.ok(Number.isNaN(watched.load.now!.latencyMs));
  t.equal(Math.round(1e6 * watched.load.usualMs) / 1e6, 20, 'silence does not change what is usual');
  watched.run(1_800, { ...BUSY, latencySumMs: 800 });
  t.ok(watched.load.usualMs > 76 && watched.load.usualMs <= 80, `usual ${watched.load.usualMs} of 80`);
});

t.test('the share of errors is that of attempts that ended, answered or not', async t => {
  const share = (perTick: Partial<Counts>): number => {
    const watched = new Watched();
    watched.look();
    watched.run(200, { attempts: 10, ...perTick });
    return watched.load.errorShare;
  };
  t.equal(share({ successes: 10 }), 0);
  for (const [name, perTick, wanted] of [
    ['all 5xx', { serverErrors: 10 }, 1],
    ['no answer at all', { failures: 10 }, 1],
    ['half 5xx', { successes: 5, serverErrors: 5 }, 0.5],
    ['half without an answer', { successes: 5, failures: 5 }, 0.5],
    ['some of each', { successes: 6, serverErrors: 2, failures: 2 }, 0.4],
    ['clients that left are nobody’s error', { successes: 5, cancelled: 5 }, 0],
  ] as const)
    t.ok(Math.abs(share(perTick) - wanted) < 0.001, `${name}: ${share(perTick)} of ${wanted}`);
});

t.test('one error of a quiet backend weighs little, and errors are forgotten', async t => {
  const watched = new Watched();
  watched.look();
  watched.run(1, { attempts: 1, failures: 1 });
  watched.run(9);
  t.equal(watched.load.errorShare, 0.05);
  watched.run(300);
  t.ok(watched.load.errorShare < 0.003, 'in silence too');
});

t.test('counters that fall are another backend’s: nothing goes negative, all begins anew', async t => {
  for (const kind of ['attempts', 'successes', 'serverErrors', 'failures', 'bytesIn', 'bytesOut'] as const) {
    const watched = new Watched();
    const all = { ...BUSY, attempts: 16, serverErrors: 3, failures: 3 };
    watched.look();
    watched.run(40, all);
    t.ok(watched.load.errorShare > 0.3);
    // The rest of them rises meanwhile.
    watched.counts[kind] = 1;
    watched.run(1);
    t.equal(watched.load.now, null, `${kind}: what was seen is forgotten`);
    t.same(watched.load.seconds, []);
    t.equal(watched.load.errorShare, 0);
    t.ok(Number.isNaN(watched.load.usualMs));
    for (let tick = 0; tick < 30; tick++) {
      watched.run(1, all);
      const { now } = watched.load;
      if (now !== null)
        t.ok(
          Object.values(now).every(value => value >= 0),
          JSON.stringify(now),
        );
    }
    t.equal(watched.load.now?.requestsPerSecond, 160, 'it is watched as any other');
  }
});
