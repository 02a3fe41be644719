import t from 'tap';
import { exponential, streamOf, workShape } from '../../lib/sim/chance.ts';
import { Kernel } from '../../lib/sim/kernel/kernel.ts';
import { Server } from '../../lib/sim/world/server.ts';

/** A server alone; `done` collects request → time. */
function alone(capacity: { cores: number; speed: number; places: number }) {
  const kernel = new Kernel();
  const done = new Map<number, number>();
  const wake = kernel.register((request, workMs) => server.woke(request, workMs));
  const kind: number = kernel.register((_, version) => server.due(version));
  const server: Server = new Server(
    0,
    capacity,
    kernel,
    {
      sleeps: (_, request, ms) => kernel.schedule(ms, wake, request, 0),
      completed: (_, request) => void done.set(request, kernel.monotonicMs()),
    },
    kind,
  );
  return { kernel, server, done };
}

const NO_LIMIT = Number.POSITIVE_INFINITY;

t.test('cores are shared evenly, one request uses one core at most', async t => {
  const { kernel, server, done } = alone({ cores: 2, speed: 1, places: NO_LIMIT });
  server.arrive(1, 0, 100);
  kernel.run(50);
  for (const request of [2, 3, 4]) server.arrive(request, 0, 100);
  kernel.run(10_000);
  // Request 1 has half of its work left when four share two cores: 100 ms more. Then three share two.
  t.equal(done.get(1), 150);
  for (const request of [2, 3, 4]) t.ok(Math.abs(done.get(request)! - 225) < 1e-6, `${done.get(request)}`);
  t.ok(Math.abs(server.usedCoreMs - 400) < 1e-6);
  t.ok(Math.abs(server.presentMs - (150 + 3 * 175)) < 1e-6);
});

t.test('a pause holds everybody up, half the speed takes twice as long', async t => {
  const { kernel, server, done } = alone({ cores: 1, speed: 1, places: NO_LIMIT });
  server.arrive(1, 0, 100);
  kernel.run(40);
  server.set(0, 1);
  kernel.run(140);
  server.set(1, 0.5);
  kernel.run(1_000);
  t.equal(done.get(1), 140 + 60 / 0.5);
});

t.test('places are taken in turn, sleep needs none of the cores', async t => {
  const { kernel, server, done } = alone({ cores: 1, speed: 1, places: 2 });
  for (const request of [1, 2, 3]) server.arrive(request, 100, 0);
  kernel.run(1_000);
  t.same(
    [...done],
    [
      [1, 100],
      [2, 100],
      [3, 200],
    ],
  );
});

t.test('who is cancelled is not answered and frees what it held, running, asleep or waiting', async t => {
  const running = alone({ cores: 1, speed: 1, places: NO_LIMIT });
  for (const request of [1, 2]) running.server.arrive(request, 0, 100);
  running.kernel.run(50);
  running.server.cancel(1, false);
  running.kernel.run(1_000);
  t.same([...running.done], [[2, 125]]);
  const waiting = alone({ cores: 4, speed: 1, places: 1 });
  for (const request of [1, 2, 3]) waiting.server.arrive(request, 0, 100);
  waiting.server.cancel(2, false);
  waiting.kernel.run(1_000);
  t.same(
    [...waiting.done],
    [
      [1, 100],
      [3, 200],
    ],
  );
  t.equal(waiting.server.present, 0);
});

/** Mean time in the server of Poisson arrivals. */
function meanTimeMs(capacity: { cores: number; places: number }, load: number, seed: number): number {
  const { kernel, server, done } = alone({ ...capacity, speed: 1 });
  const [gaps, works] = [streamOf(seed, 'gap'), streamOf(seed, 'work')];
  const work = workShape('exponential', 1);
  const began: number[] = [];
  let atMs = 0;
  for (let request = 0; request < 200_000; request++) {
    atMs += exponential(gaps) / load;
    kernel.run(atMs);
    began.push(atMs);
    server.arrive(request, 0, work(works));
  }
  kernel.run(Number.MAX_SAFE_INTEGER);
  let sum = 0;
  for (const [request, doneMs] of done) sum += doneMs - began[request]!;
  return sum / began.length;
}

t.test('queueing theory holds: M/M/1 and M/M/4, shared or in turn', async t => {
  for (const seed of [1, 2]) {
    const one = meanTimeMs({ cores: 1, places: NO_LIMIT }, 0.7, seed);
    t.ok(Math.abs(one / (1 / (1 - 0.7)) - 1) < 0.05, `seed ${seed}, M/M/1-PS at 0.7: ${one}`);
    // Erlang C for four servers at 0.8 each: P(wait) = 0.5964, mean wait 0.5964 / (4 − 3.2).
    const expected = 1 + 0.5964 / 0.8;
    for (const places of [4, NO_LIMIT]) {
      const four = meanTimeMs({ cores: 4, places }, 3.2, seed);
      t.ok(Math.abs(four / expected - 1) < 0.05, `seed ${seed}, M/M/4 at 0.8, ${places} places: ${four}`);
    }
  }
});
