import t from 'tap';
import { occurrences, parseSchedule, type Schedule } from '../../lib/core/schedule.ts';
import { momentOf, offsetMs } from '../../lib/core/zone.ts';

const schedule = (text: string): Schedule => {
  const parsed = parseSchedule(text);
  if (typeof parsed === 'string') throw new Error(`${text}: expected ${parsed}`);
  return parsed;
};
const at = (iso: string): number => Date.parse(iso);
const within = (text: string, from: string, to: string, most = 100): string[] =>
  occurrences(schedule(text), at(from), at(to), most).map(ms => new Date(ms).toISOString().slice(0, 16));

t.test('weekly times follow their zone through summer time', async t => {
  t.strictSame(within('Fri 18:00 Europe/Berlin', '2026-10-12T00:00Z', '2026-11-02T00:00Z'), [
    '2026-10-16T16:00',
    '2026-10-23T16:00',
    '2026-10-30T17:00',
  ]);
  t.strictSame(within('Fri 18:00', '2026-10-12T00:00Z', '2026-10-18T00:00Z'), ['2026-10-16T18:00']);
  t.strictSame(within('Sat-Mon 9:30 America/New_York', '2026-07-04T00:00Z', '2026-07-08T00:00Z'), [
    '2026-07-04T13:30',
    '2026-07-05T13:30',
    '2026-07-06T13:30',
  ]);
  t.strictSame(within('daily 00:30 Pacific/Auckland', '2026-01-01T00:00Z', '2026-01-03T00:00Z'), [
    '2026-01-01T11:30',
    '2026-01-02T11:30',
  ]);
});

t.test('what summer time skips comes later, what it repeats comes once', async t => {
  t.strictSame(within('daily 02:30 Europe/Berlin', '2026-03-28T00:00Z', '2026-03-31T00:00Z'), [
    '2026-03-28T01:30',
    '2026-03-29T01:30',
    '2026-03-30T00:30',
  ]);
  t.strictSame(within('daily 02:30 Europe/Berlin', '2026-10-24T12:00Z', '2026-10-26T12:00Z'), [
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ]);
  // Half an hour only, and at midnight.
  t.strictSame(within('daily 02:15 Australia/Lord_Howe', '2026-10-03T12:00Z', '2026-10-04T12:00Z'), [
    '2026-10-03T15:45',
  ]);
  t.strictSame(within('daily 00:00 America/Santiago', '2026-09-05T12:00Z', '2026-09-07T12:00Z'), [
    '2026-09-06T04:00',
    '2026-09-07T03:00',
  ]);
});

t.test('dates, intervals and cron lines', async t => {
  t.strictSame(schedule('2026-12-24T18:00+01:00'), { kind: 'once', atMs: at('2026-12-24T17:00Z') });
  t.strictSame(schedule('2026-12-24 18:00 Europe/Berlin'), { kind: 'once', atMs: at('2026-12-24T17:00Z') });
  t.strictSame(schedule('2026-07-24T18:00:30'), { kind: 'once', atMs: at('2026-07-24T18:00:30Z') });
  t.strictSame(within('every 15m offset 5m', '2026-01-01T00:01Z', '2026-01-01T00:40Z'), [
    '2026-01-01T00:05',
    '2026-01-01T00:20',
    '2026-01-01T00:35',
  ]);
  t.strictSame(within('cron */30 8-9 * * mon-fri Europe/Berlin', '2026-11-20T00:00Z', '2026-11-23T07:30Z'), [
    '2026-11-20T07:00',
    '2026-11-20T07:30',
    '2026-11-20T08:00',
    '2026-11-20T08:30',
    '2026-11-23T07:00',
  ]);
  t.strictSame(
    within('cron 0 0 1 * 7', '2026-11-01T00:00Z', '2026-11-09T00:00Z'),
    ['2026-11-01T00:00', '2026-11-08T00:00'],
    'either day is enough when both are named',
  );
  t.equal(within('cron * * * * *', '2026-11-01T00:00Z', '2026-11-03T00:00Z', 50).length, 50);
});

t.test('offsets of whole and part hours', async t => {
  t.equal(offsetMs('UTC', 0), 0);
  t.equal(offsetMs('Asia/Kolkata', at('2026-05-05T05:05:42Z')), 19_800_000);
  t.equal(
    momentOf('Asia/Kathmandu', { year: 2026, month: 1, day: 1, hour: 0, minute: 0 }),
    at('2025-12-31T18:15Z'),
  );
});

t.test('what is no time is told in words', async t => {
  const wrong = [
    ...['', 'Fri', 'Fri 18', 'Fri 25:00', 'Fri 18:00 Mars/Base', 'Fri 18:00 UTC now', 'Fry 18:00'],
    ...['2026-02-30T10:00Z', '2026-13-01T10:00', '2026-01-01', '2026-01-01T24:00', '1026-01-01T00:00'],
    ...['2026-01-01T10:00Z Europe/Berlin', '2026-01-01T10:00 Nowhere', 'Fri 18:00 +01:00'],
    ...['every', 'every 5', 'every 1s', 'every 10m offset 20m', 'every 10m at 5m'],
    ...['cron', 'cron * * * *', 'cron 60 * * * *', 'cron 5-1 * * * *', 'cron */0 * * * *', '0 3 * * *'],
    ...['cron 0 3 * * 8', 'cron 0 3 * foo *', 'cron 0 3 * * * X Y', '1-5 18:00', '* 18:00'],
  ];
  for (const text of wrong) {
    const parsed = parseSchedule(text);
    t.type(parsed, 'string', `"${text}"`);
  }
});
