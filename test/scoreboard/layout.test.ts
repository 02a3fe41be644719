import t from 'tap';
import { createScoreboard, layoutOf } from '../../lib/scoreboard/layout.ts';

t.test('a scoreboard survives structured clone as the same memory', async t => {
  const board = createScoreboard({ workers: 2, slots: 8 });
  const clone = structuredClone(board);
  new Int32Array(board.buffer)[0] = 42;
  t.equal(new Int32Array(clone.buffer)[0], 42);
  t.strictSame(clone.shape, board.shape);
});

t.test('no two regions overlap, and threads never share a pair of cache lines', async t => {
  for (const slots of [1, 7, 1024, 4096]) {
    const { shape } = createScoreboard({ workers: 3, slots, routes: 17, tokenBuckets: 64, clientCells: 64 });
    const l = layoutOf(shape);
    const shared: [string, number][] = [
      ['header', 0],
      ['half 0', l.halves[0]],
      ['half 1', l.halves[1]],
      ['owners', l.owners],
      ['baselines', l.baselinesF64 * 2],
      ['tokens', l.tokens],
      ['rows', l.rows],
    ];
    const row: [string, number][] = [
      ['slots', l.slots],
      ['listeners', l.listeners],
      ['reports', l.reports],
      ['client keys', l.clientKeys],
      ['client counts', l.clientCounts],
      ['counters', l.countersF64 * 2],
      ['backends', l.backendsF64 * 2],
      ['routes', l.routesF64 * 2],
      ['next row', l.rowStride],
    ];
    for (const regions of [shared, row])
      regions.forEach(([name, start], i) => {
        t.equal(start % 32, 0, `${name} of ${slots} slots starts on 128 bytes`);
        if (i > 0) t.ok(start > regions[i - 1]![1], `${name} comes after ${regions[i - 1]![0]}`);
      });
    t.equal(l.cells, l.rows + 3 * l.rowStride);
  }
});

t.test('untouched cells cost no memory', async t => {
  const before = process.memoryUsage().rss;
  const board = createScoreboard({ workers: 64, slots: 4096 });
  const grown = process.memoryUsage().rss - before;
  t.ok(board.buffer.byteLength > 100 * 2 ** 20, `${board.buffer.byteLength >>> 20} MiB reserved`);
  t.ok(grown < 20 * 2 ** 20, `${grown >>> 20} MiB used`);
});

t.test('impossible shapes are refused by name', async t => {
  const cases: [Parameters<typeof createScoreboard>[0], RegExp][] = [
    [{ workers: 0, slots: 1 }, /workers/],
    [{ workers: 65, slots: 1 }, /workers/],
    [{ workers: 1, slots: 0 }, /slots/],
    [{ workers: 1, slots: 1, routes: 0.5 }, /routes/],
    [{ workers: 1, slots: 1, tokenBuckets: 1000 }, /tokenBuckets/],
    [{ workers: 1, slots: 1, clientCells: 32 }, /clientCells/],
  ];
  for (const [options, names] of cases) t.throws(() => createScoreboard(options), names);
});
