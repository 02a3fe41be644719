// When something happens, as people write it: `Fri 18:00 Europe/Berlin`, `every 15m`, `2026-12-24T18:00+01:00`, a cron line.

import { parseDurationMs } from './units.ts';
import { isZone, localTime, momentOf } from './zone.ts';

export type Schedule =
  | { readonly kind: 'once'; readonly atMs: number }
  /** Multiples of the interval since the Unix epoch, plus `offsetMs`. */
  | { readonly kind: 'every'; readonly everyMs: number; readonly offsetMs: number }
  | Calendar;

/** The fields of cron, in local time. */
interface Calendar {
  readonly kind: 'calendar';
  readonly zone: string;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** Sunday is 0. */
  readonly weekdays: ReadonlySet<number>;
  /** As in cron: when both are restricted, either is enough. */
  readonly eitherDay: boolean;
}

export const SCHEDULE_WORDS =
  'a time such as "Fri 18:00 Europe/Berlin", "daily 03:00", "2026-12-24 18:00 Europe/Berlin", "every 15m" or "cron 0 3 * * 1-5 UTC"';

const LEAST_EVERY_MS = 10_000;
const MOST_EVERY_MS = 366 * 86_400_000;
const DAY_MS = 86_400_000;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Years that a date may lie in: a typo would else be a window that never comes. */
const [FIRST_YEAR, LAST_YEAR] = [2000, 2199];

/** The schedule, or the words for what was expected instead. Without a zone times are UTC. */
export function parseSchedule(text: string): Schedule | string {
  const words = text.trim().split(/\s+/);
  const [first = ''] = words;
  if (first === 'every') return parseEvery(words.slice(1));
  if (first === 'cron') return parseCron(words.slice(1));
  if (/^\d{4}-/.test(first)) return parseDate(words);
  if (/^\d+$/.test(first)) return 'a cron line with the word cron before it, such as "cron 0 3 * * 1-5 UTC"';
  return parseWeekly(words);
}

/**
 * Occurrences in [fromMs, toMs), in order, the first `most` of them. Costs a few microseconds a day of the span.
 */
export function occurrences(schedule: Schedule, fromMs: number, toMs: number, most: number): number[] {
  if (schedule.kind === 'once') return schedule.atMs >= fromMs && schedule.atMs < toMs ? [schedule.atMs] : [];
  const found: number[] = [];
  if (schedule.kind === 'every') {
    const { everyMs, offsetMs } = schedule;
    let atMs = Math.ceil((fromMs - offsetMs) / everyMs) * everyMs + offsetMs;
    for (; atMs < toMs && found.length < most; atMs += everyMs) found.push(atMs);
    return found;
  }
  // A day more on either side: what summer time moves may cross midnight.
  for (let dayMs = fromMs - DAY_MS; dayMs < toMs + DAY_MS && found.length < most; dayMs += DAY_MS)
    for (const atMs of onDay(schedule, dayMs))
      if (atMs >= fromMs && atMs < toMs && atMs > (found.at(-1) ?? Number.NEGATIVE_INFINITY))
        if (found.push(atMs) >= most) break;
  return found;
}

function* onDay(calendar: Calendar, dayMs: number): Generator<number> {
  const { year, month, day } = localTime(calendar.zone, dayMs);
  if (!calendar.months.has(month)) return;
  const byDay = calendar.days.has(day);
  const byWeekday = calendar.weekdays.has(new Date(Date.UTC(year, month - 1, day)).getUTCDay());
  if (calendar.eitherDay ? !(byDay || byWeekday) : !(byDay && byWeekday)) return;
  for (const hour of calendar.hours)
    for (const minute of calendar.minutes) yield momentOf(calendar.zone, { year, month, day, hour, minute });
}

/** `every 15m`, `every 1h offset 5m`. */
function parseEvery(words: readonly string[]): Schedule | string {
  const [interval = '', keyword, offset = '', ...rest] = words;
  const everyMs = parseDurationMs(interval);
  if (everyMs === undefined || everyMs < LEAST_EVERY_MS || everyMs > MOST_EVERY_MS)
    return '"every" with a duration from 10s to 366d, such as every 15m';
  if (keyword === undefined) return { kind: 'every', everyMs, offsetMs: 0 };
  const offsetMs = parseDurationMs(offset);
  if (keyword !== 'offset' || offsetMs === undefined || offsetMs >= everyMs || rest.length > 0)
    return `after the interval "offset" with a shorter duration, such as every ${interval} offset 5s`;
  return { kind: 'every', everyMs, offsetMs };
}

/** A date with an offset of its own, or a local one with a zone behind it. */
function parseDate(words: readonly string[]): Schedule | string {
  const expected = 'a date such as 2026-12-24T18:00+01:00 or "2026-12-24 18:00 Europe/Berlin"';
  const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?(?: (.+))?$/.exec(
    words.join(' '),
  );
  if (match === null) return expected;
  const [year, month, day, hour, minute] = match.slice(1, 6).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const second = Number(match[6] ?? 0);
  const [offset, zone] = [match[7], match[8]];
  if (year < FIRST_YEAR || year > LAST_YEAR) return `a year from ${FIRST_YEAR} to ${LAST_YEAR}`;
  const date = new Date(Date.UTC(year, month - 1, day));
  if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    return 'a date that is in the calendar';
  if (hour > 23 || minute > 59 || second > 59) return 'a time from 00:00 to 23:59';
  if (offset !== undefined) {
    if (zone !== undefined) return 'an offset or a zone, not both';
    const atMs = Date.parse(match[0].replace(' ', 'T'));
    return Number.isNaN(atMs) ? 'an offset such as +01:00' : { kind: 'once', atMs };
  }
  if (zone !== undefined && !isZone(zone)) return zoneWords(zone);
  const local = { year, month, day, hour, minute };
  return { kind: 'once', atMs: momentOf(zone ?? 'UTC', local) + second * 1000 };
}

/** `Fri 18:00`, `Mon-Fri 9:30 Europe/Berlin`, `Sat,Sun 12:00`, `daily 03:00`. */
function parseWeekly(words: readonly string[]): Schedule | string {
  const [days = '', time = '', zone = 'UTC', ...rest] = words;
  const weekdays = days.toLowerCase() === 'daily' ? full(0, 6) : parseField(days, 0, 6, WEEKDAYS);
  const match = /^(\d{1,2}):(\d\d)$/.exec(time);
  if (typeof weekdays === 'string' || /^[\d*]/.test(days) || match === null || rest.length > 0)
    return SCHEDULE_WORDS;
  const [hour, minute] = [Number(match[1]), Number(match[2])];
  if (hour > 23 || minute > 59) return 'a time from 00:00 to 23:59';
  if (!isZone(zone)) return zoneWords(zone);
  return {
    kind: 'calendar',
    zone,
    minutes: new Set([minute]),
    hours: new Set([hour]),
    days: full(1, 31),
    months: full(1, 12),
    weekdays,
    eitherDay: false,
  };
}

/** Minute, hour, day of the month, month, day of the week, and perhaps a zone. */
function parseCron(words: readonly string[]): Schedule | string {
  const [minute, hour, day, month, weekday, zone = 'UTC', ...rest] = words;
  if (weekday === undefined || rest.length > 0)
    return 'five fields and perhaps a zone after cron, such as "cron 0 3 * * 1-5 UTC"';
  const minutes = parseField(minute!, 0, 59, []);
  if (typeof minutes === 'string') return `minutes ${minutes}`;
  const hours = parseField(hour!, 0, 23, []);
  if (typeof hours === 'string') return `hours ${hours}`;
  const days = parseField(day!, 1, 31, []);
  if (typeof days === 'string') return `days of the month ${days}`;
  const months = parseField(month!, 1, 12, MONTHS, 1);
  if (typeof months === 'string') return `months ${months}`;
  const given = parseField(weekday, 0, 7, WEEKDAYS);
  if (typeof given === 'string') return `days of the week ${given}`;
  if (!isZone(zone)) return zoneWords(zone);
  const weekdays = new Set([...given].map(day => day % 7));
  const eitherDay = !day!.startsWith('*') && !weekday.startsWith('*');
  return { kind: 'calendar', zone, minutes, hours, days, months, weekdays, eitherDay };
}

/** `*`, `5`, `1-5`, `*\/10`, `8-18/2`, names, and lists of those; rising. */
function parseField(
  text: string,
  least: number,
  most: number,
  names: readonly string[],
  firstName = 0,
): ReadonlySet<number> | string {
  const expected = `from ${least} to ${most}, such as ${least}, ${least}-${most}, */2 or ${least},${least + 1}`;
  const found = new Set<number>();
  const read = (part: string): number => {
    const index = names.indexOf(part.toLowerCase());
    if (index >= 0) return index + firstName;
    return /^\d{1,2}$/.test(part) ? Number(part) : Number.NaN;
  };
  for (const part of text.split(',')) {
    const match = /^(?:(\*)|([A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (match === null) return expected;
    const [, all, low, high, every] = match;
    const from = all === undefined ? read(low!) : least;
    const to = all !== undefined || (high === undefined && every !== undefined) ? most : read(high ?? low!);
    const step = Number(every ?? 1);
    if (!(from >= least && to <= most && step >= 1)) return expected;
    if (from <= to) for (let value = from; value <= to; value += step) found.add(value);
    // Over the end of the week: Fri-Mon.
    else if (names === WEEKDAYS) for (const value of [...full(from, 6), ...full(0, to)]) found.add(value);
    else return expected;
  }
  return new Set([...found].sort((a, b) => a - b));
}

function full(from: number, to: number): Set<number> {
  return new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

const zoneWords = (zone: string): string =>
  `a time zone such as UTC or Europe/Berlin; "${zone}" is not in the system's time zone data`;
