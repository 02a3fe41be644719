import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ForecastMemory, type Learned } from '../../../lib/control/forecast/memory.ts';
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

t.test('it is written once a minute, a few backends a tick, and found again', async t => {
  const path = join(t.testdir(), 'state/forecasts.jsonl');
  const { memory, clock } = setUp(path);
  const all = () => learned(20).values();
  memory.tick(all);
  t.throws(() => kept(path), { code: 'ENOENT' }, 'not at once');
  await clock.pass(60_000);
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
