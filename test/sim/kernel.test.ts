import t from 'tap';
import { seededRandom } from '../../lib/core/random.ts';
import { Kernel } from '../../lib/sim/kernel/kernel.ts';

t.test('events run in the order of their time, equals in the order in which they were scheduled', async t => {
  const seed = 7;
  const random = seededRandom(seed);
  const kernel = new Kernel();
  const seen: { atMs: number; a: number }[] = [];
  const kind = kernel.register(a => void seen.push({ atMs: kernel.monotonicMs(), a }));
  const due = Array.from({ length: 20_000 }, () => Math.floor(random.next() * 500));
  due.forEach((ms, i) => {
    kernel.schedule(ms, kind, i, 0);
  });
  kernel.run(1_000);
  const expected = due.map((atMs, a) => ({ atMs, a })).sort((x, y) => x.atMs - y.atMs || x.a - y.a);
  t.same(seen, expected, `seed ${seed}`);
  t.equal(kernel.monotonicMs(), 1_000);
});

t.test('it is a clock: callbacks come in time, disposed ones never, the wall clock goes along', async t => {
  const kernel = new Kernel();
  const wallMs = kernel.wallMs();
  const seen: string[] = [];
  kernel.after(20, () => seen.push(`late at ${kernel.monotonicMs()}`));
  kernel.after(10, () => {
    seen.push(`first at ${kernel.monotonicMs()}`);
    kernel.after(5, () => seen.push(`from within at ${kernel.monotonicMs()}`));
  });
  kernel.after(12, () => seen.push('never'))[Symbol.dispose]();
  kernel.run(15);
  t.same(seen, ['first at 10', 'from within at 15'], 'what is due at the end runs, what comes later waits');
  kernel.run(100);
  t.same(seen.at(-1), 'late at 20');
  t.equal(kernel.wallMs() - wallMs, 100);
});

t.test('a world that runs away is stopped', async t => {
  const kernel = new Kernel();
  const kind = kernel.register(() => {});
  t.throws(() => {
    for (let i = 0; i < 2 ** 21; i++) kernel.schedule(i, kind, 0, 0);
  }, /events pending/);
});
