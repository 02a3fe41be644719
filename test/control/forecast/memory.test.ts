import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ForecastMemory, LATER, type Learned } from '../../../lib/control/forecast/memory.ts';
import { Room } from '../../../lib/control/forecast/room.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ForecastWorld } from '../../support/forecast-world.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { until } from '../../support/until.ts';

const learned = (count: number, what = 'x'): Learned[] =>
  Array.from({ length: count }, (_, i) => ({ cluster: 'web', id: `b${i}`, read: () => ({ what, i }) }));

function setUp(path: string, clock = new FakeClock()) {
  const log = new MemoryLog();
  return { memory: new ForecastMemory(path, clock, log), clock, log };
}

const kept = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n').slice(1);

t.test('it is written every five minutes, a few backends a tick, and found again', async t => {
  const path = join(t.testdir(), 'state/forecasts.jsonl');
  const { memory, clock } = setUp(path);
  const all = () => learned(20).values();
  memory.tick(all);
  t.throws(() => kept(path), { code: 'ENOENT' }, 'not at once');
  await clock.pass(300_000);
  memory.tick(all);
  memory.tick(all);
  t.throws(() => kept(path), { code: 'ENOENT' }, 'not before all are taken');
  memory.tick(all);
  await until('the file is there', () => {
    try {
      return kept(path).length === 20;
    } catch {
      return false;
    }
  });
  const { memory: next, log } = setUp(path);
  t.same(next.recall('web', 'b7'), { what: 'x', i: 7 });
  t.equal(next.recall('web', 'b99'), undefined);
  t.equal(log.lines.length, 0);
});

t.test('the last word is written at the end, of those that are away the word before', async t => {
  const path = join(t.testdir(), 'forecasts.jsonl');
  await setUp(path).memory.close(() => learned(3, 'old').values());
  await setUp(path).memory.close(() => learned(1, 'new').values());
  const { memory } = setUp(path);
  t.same(
    [memory.recall('web', 'b0'), memory.recall('web', 'b2')],
    [
      { what: 'new', i: 0 },
      { what: 'old', i: 2 },
    ],
  );
});

t.test('a start with many takes them up a few a tick', async t => {
  const path = join(t.testdir(), 'forecasts.jsonl');
  await setUp(path).memory.close(() => learned(70).values());
  const { memory } = setUp(path);
  const recall = (): number =>
    learned(70).filter(({ cluster, id }) => memory.recall(cluster, id) !== LATER).length;
  t.equal(recall(), 32);
  t.equal(memory.recall('web', 'unknown'), undefined, 'who has nothing to recall need not wait');
  memory.tick(() => [].values());
  t.equal(recall(), 32);

  // Those who wait let the others begin, and are there a tick or two later.
  const asked = new Map<string, number>();
  const world = new ForecastWorld({}, ['a', 'b', 'c'], {
    recall: (_, id) => {
      asked.set(id, (asked.get(id) ?? 0) + 1);
      return id === 'b' && asked.get(id)! < 3 ? LATER : undefined;
    },
  });
  world.pass(250);
  t.same([...world.outlooks.keys()], [0, 2]);
  world.pass(500);
  t.same([...world.outlooks.keys()], [0, 1, 2]);
  t.equal(asked.get('b'), 3);
});

t.test('its text is bounded: those saved longest ago are forgotten', async t => {
  const path = join(t.testdir(), 'forecasts.jsonl');
  const { memory } = setUp(path);
  const what = 'x'.repeat(500_000);
  await memory.close(() => learned(150, what).values());
  const ids = kept(path).map(line => JSON.parse(line).id);
  t.ok(ids.length * 500_000 <= 64 * 1024 * 1024 && ids.length > 120, `${ids.length}`);
  t.equal(ids.at(-1), 'b149');
});

t.test('where there is no room for models nothing is foreseen, and nothing else is lost', async t => {
  const asked = new Set<string>();
  const world = new ForecastWorld({}, ['a', 'b', 'c'], { recall: (_, id) => void asked.add(id) });
  let said = 0;
  const room = new Room(64, () => (said += 1));
  while (room.take());
  t.equal(said, 1);
  room.give(2);
  t.equal(room.taken, 62);
  while (world.room.taken < 62) world.room.take();
  world.pass(30_000);
  t.same([...world.outlooks.keys()], [0, 1], 'two places for three');
  t.same([...asked], ['a', 'b'], 'who has no place takes nothing up, thirty seconds long');
  t.equal(world.report('c'), undefined);
  t.equal(world.forecast.foreseen('c').predicted, null);
  t.equal(world.forecast.foreseen('c').gate, 'open');
  world.at('a').slotGeneration = 2;
  world.pass(250);
  t.equal(world.room.taken, 64);
  world.configure({ forecast: 'off' });
  world.pass(250);
  t.equal(world.room.taken, 62, 'places are given back');
});

t.test('who stood down writes nothing any more', async t => {
  const path = join(t.testdir(), 'forecasts.jsonl');
  const { memory } = setUp(path);
  memory.stop();
  await memory.close(() => learned(3).values());
  t.throws(() => kept(path), { code: 'ENOENT' });
});

t.test('a damaged file is kept aside, said, and begun anew', async t => {
  for (const text of ['', 'garbage', '{"version":99}\n', '[1,2', '\u0000'.repeat(100)]) {
    const path = join(t.testdir({ 'forecasts.jsonl': text }), 'forecasts.jsonl');
    const { memory, log } = setUp(path);
    t.equal(memory.recall('web', 'b0'), undefined);
    t.equal(log.lines.length, 1, JSON.stringify(text));
    t.equal(readFileSync(`${path}.bad`, 'utf8'), text);
    await memory.close(() => learned(1).values());
    t.equal(kept(path).length, 1);
  }
});

t.test('a damaged line costs one backend its memory', async t => {
  const path = join(t.testdir(), 'forecasts.jsonl');
  await setUp(path).memory.close(() => learned(3).values());
  const lines = readFileSync(path, 'utf8').split('\n');
  lines[2] = lines[2]!.slice(0, 10);
  writeFileSync(path, lines.join('\n'));
  const { memory, log } = setUp(path);
  t.equal(log.lines.length, 1);
  t.same([memory.recall('web', 'b0'), memory.recall('web', 'b1')], [{ what: 'x', i: 0 }, undefined]);
});

t.test('a disk in trouble is said once and harms nothing', async t => {
  const folder = t.testdir();
  const path = join(folder, 'forecasts.jsonl');
  const { memory, log } = setUp(path);
  mkdirSync(`${path}.new`);
  await memory.close(() => learned(3).values());
  t.equal(log.lines.length, 1);
  rmSync(`${path}.new`, { recursive: true });
});

t.test('what models learned in one life is known in the next, and what is no model is not', async t => {
  const first = new ForecastWorld();
  first.pass(120_000);
  const [[, read]] = [...first.forecast.learned()] as [readonly [string, () => unknown]];
  const saved: unknown = JSON.parse(JSON.stringify(read()));
  const second = new ForecastWorld({}, ['a'], { recall: () => saved });
  second.pass(5_000);
  const third = new ForecastWorld({}, ['a'], { recall: () => ({ load: { stepMs: 250 }, events: null }) });
  third.pass(5_000);
  const width = (world: ForecastWorld): number => {
    const { p50, p90 } = world.report('a').horizons[1]!;
    return p90 - p50;
  };
  t.ok(width(first) > 0);
  t.not(width(second), width(third), 'widths are remembered');
  for (const world of [second, third]) t.equal(world.report('a').state, 'fine');
});
