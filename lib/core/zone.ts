// Local time of a named zone, from the system's time zone data, with its summer times.

/** A wall clock's reading; `day` and `month` count from 1, Sunday is 0. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

const HALF_DAY_MS = 43_200_000;
const formats = new Map<string, Intl.DateTimeFormat>();
/** Zones differ from UTC by less; configurations name few, so the map stays small. */
const MAX_FORMATS = 1_024;

/** True for `UTC` and names of the time zone database such as `Europe/Berlin`. */
export function isZone(name: string): boolean {
  // Offsets such as +01:00 are taken by Intl too, but know no summer time: an offset belongs to a date.
  return /^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name) && formatOf(name) !== null;
}

/** Local time less UTC at that moment, in ms. */
export function offsetMs(zone: string, atMs: number): number {
  const local = localTime(zone, atMs);
  const wholeMinuteMs = Math.floor(atMs / 60_000) * 60_000;
  return utcOf(local) - wholeMinuteMs;
}

export function localTime(zone: string, atMs: number): LocalTime {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone)!.formatToParts(atMs)) parts[type] = Number(value);
  const { year, month, day, hour, minute } = parts;
  return { year: year!, month: month!, day: day!, hour: hour!, minute: minute! };
}

/**
 * The moment at which a clock in that zone shows this. A time that summer time skips is taken as much later as the clock is put
 * on; of a time that comes twice the first is meant.
 */
export function momentOf(zone: string, local: LocalTime): number {
  const asUtcMs = utcOf(local);
  const before = offsetMs(zone, asUtcMs - HALF_DAY_MS);
  const after = offsetMs(zone, asUtcMs + HALF_DAY_MS);
  const [larger, smaller] = before > after ? [before, after] : [after, before];
  // The larger offset is the earlier moment.
  for (const offset of [larger, smaller])
    if (offsetMs(zone, asUtcMs - offset) === offset) return asUtcMs - offset;
  return asUtcMs - before;
}

const utcOf = ({ year, month, day, hour, minute }: LocalTime): number =>
  Date.UTC(year, month - 1, day, hour, minute);

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  if (formats.size >= MAX_FORMATS) formats.clear();
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
    });
    formats.set(zone, format);
    return format;
  } catch {
    return null;
  }
}
