import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Announcements } from '../../../lib/control/forecast/announcements.ts';
import { EventPlan } from '../../../lib/control/forecast/event-plan.ts';
import type { EventCalendar } from '../../../lib/plan/forecast/events.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const NOON = Date.parse('2026-11-20T12:00:00Z');
const event = (name: string, more: object = {}) => ({
  ...{ cluster: 'web', name, backends: null, factor: 2, startMs: NOON, endMs: NOON + 60_000 },
  ...more,
});

t.test('announcements are written down, found again, and forgotten when over', async t => {
  const path = join(t.testdir(), 'events.json');
  const log = new MemoryLog();
  const first = new Announcements(path, log);
  first.add(event('one'), 'one-1', NOON);
  first.add(event('two', { cluster: 'mail', backends: ['m1'] }), 'two-1', NOON);
  const second = new Announcements(path, log);
  t.strictSame(
    second.of('web').map(({ id }) => id),
    ['one-1'],
  );
  t.strictSame(second.of('mail')[0]!.backends, ['m1']);
  second.cancel('one-1');
  t.throws(() => second.cancel('one-1'), { code: 'NOT_FOUND' });
  // The first did not hear of it; what is on disk counts.
  first.add(event('three', { endMs: NOON + 3_600_000 }), 'three-1', NOON + 120_000);
  t.strictSame(
    new Announcements(path, log).all.map(({ id }) => id),
    ['three-1'],
  );
  t.equal(log.lines.length, 0);
});

t.test('too many are refused, damaged ones left out and said', async t => {
  const path = join(t.testdir(), 'events.json');
  const log = new MemoryLog();
  const announcements = new Announcements(path, log);
  for (let i = 0; i < 256; i++) announcements.add(event('x'), `x-${i}`, NOON);
  t.throws(() => announcements.add(event('x'), 'x-256', NOON), { code: 'CONFLICT' });
  const content = JSON.parse(readFileSync(path, 'utf8'));
  content.events[0].factor = 'many';
  writeFileSync(path, JSON.stringify(content));
  t.equal(new Announcements(path, log).all.length, 255);
  t.equal(log.count('error', '1 events cannot be read'), 1);
  writeFileSync(path, 'garbage');
  t.equal(new Announcements(path, log).all.length, 0);
});

t.test('schedules are laid out as windows, for those that they concern', async t => {
  const plan = new EventPlan('web');
  plan.configure([
    { name: 'job', at: 'every 15m', for: 60_000, factor: 3, backends: ['a'] },
    { name: 'evening', at: 'daily 13:30 Europe/Berlin', for: 600_000, factor: 2, backends: undefined },
  ]);
  let nowMs = 0;
  plan.tick(NOON, nowMs);
  t.strictSame(
    plan.report(NOON).map(({ id }) => id),
    [0, 15, 30, 30, 45].map((minute, i) => {
      const name = i === 2 ? 'job' : i === 3 ? 'evening' : 'job';
      return `${name}@2026-11-20T12:${String(minute).padStart(2, '0')}:00.000Z`;
    }),
  );
  const a = plan.calendarOf('a');
  const b = plan.calendarOf('b');
  t.strictSame(
    a.near(NOON).map(({ name }) => name),
    ['job'],
  );
  t.equal(b.near(NOON).length, 0);
  const [running] = a.near(NOON);
  nowMs += 31 * 60_000;
  plan.tick(NOON + 31 * 60_000, nowMs);
  t.strictSame(
    b.near(NOON + 31 * 60_000).map(({ name }) => name),
    ['evening'],
  );
  plan.tick(NOON, nowMs + 250);
  t.match(a.near(NOON)[0], running, 'a clock that is put back finds the same job again');
});

const knows = (calendar: EventCalendar, atMs: number): boolean =>
  calendar.near(atMs).some(({ startWallMs, endWallMs }) => startWallMs <= atMs && atMs < endWallMs);

t.test('of a schedule as frequent as may be the next ten minutes are always known', async t => {
  const wrong: string[] = [];
  const plan = new EventPlan('web');
  plan.configure([{ name: 'tick', at: 'every 10s', for: 2_000, factor: 2, backends: undefined }]);
  const calendar = plan.calendarOf('a');
  let layOuts = 0;
  let [first] = calendar.near(NOON);
  for (let passedMs = 0; passedMs < 3 * 3_600_000; passedMs += 5_000) {
    const wallMs = NOON + passedMs;
    plan.tick(wallMs, passedMs);
    const [now] = plan.between('a', wallMs, wallMs + 2_000);
    if (now === undefined && passedMs % 10_000 === 0) wrong.push(`nothing at ${passedMs}`);
    for (let atMs = wallMs; atMs < wallMs + 600_000; atMs += 10_000)
      if (!knows(calendar, Math.ceil(atMs / 10_000) * 10_000))
        wrong.push(`${atMs - wallMs} ahead of ${passedMs}`);
    const [oldest] = calendar.near(wallMs);
    if (oldest !== first) layOuts += 1;
    first = oldest;
  }
  t.same(wrong.slice(0, 5), []);
  t.ok(layOuts < 100, `${layOuts}`);
});

t.test('an hour is always known, and what is farther is not shown', async t => {
  const wrong: string[] = [];
  const plan = new EventPlan('web');
  plan.configure([{ name: 'job', at: 'every 15m', for: 60_000, factor: 3, backends: undefined }]);
  for (let passedMs = 0; passedMs < 4 * 3_600_000; passedMs += 60_000) {
    plan.tick(NOON + passedMs, passedMs);
    const shown = plan.report(NOON + passedMs);
    if (shown.length < 4 || shown.length > 5) wrong.push(`${shown.length} at ${passedMs}`);
    if (shown.some(({ startMs }) => startMs >= NOON + passedMs + 3_600_000))
      wrong.push(`too far at ${passedMs}`);
  }
  t.same(wrong.slice(0, 5), []);
});

t.test('many at once: those that come first are kept, and the next are there in time', async t => {
  const wrong: string[] = [];
  const plan = new EventPlan('web');
  const names = Array.from({ length: 20 }, (_, i) => `job-${i}`);
  plan.configure(
    names.map((name, i) => ({
      ...{ name, at: `every 2m offset ${i}s`, for: 1_000, factor: 2, backends: undefined },
    })),
  );
  const calendar = plan.calendarOf('a');
  for (let passedMs = 0; passedMs < 3_600_000; passedMs += 10_000) {
    plan.tick(NOON + passedMs, passedMs);
    for (let aheadMs = 0; aheadMs < 600_000; aheadMs += 1_000) {
      const atMs = NOON + passedMs + aheadMs;
      const expected = (atMs / 1_000) % 120 < 20;
      if (knows(calendar, atMs) !== expected) wrong.push(`${aheadMs} ahead of ${passedMs}`);
    }
  }
  t.same(wrong.slice(0, 5), []);
});

t.test('a window that stays is the same object, so that what came of it is learned', async t => {
  const plan = new EventPlan('web');
  const calendar = plan.calendarOf('a');
  plan.announce([{ id: 'one-1', ...event('one') }]);
  plan.tick(NOON, 0);
  const [before] = calendar.near(NOON);
  plan.announce([
    { id: 'one-1', ...event('one') },
    { id: 'two-1', ...event('two', { startMs: NOON + 1_000 }) },
  ]);
  plan.tick(NOON + 250, 250);
  t.equal(calendar.near(NOON)[0], before);
  t.equal(calendar.near(NOON).length, 2);
  plan.announce([]);
  plan.tick(NOON + 500, 500);
  t.equal(calendar.near(NOON).length, 0);
});
