// What is known to come for one cluster: configured schedules and announcements as windows of time, per backend.

import type { EventPlanConfig } from '../../config/forecast.ts';
import { occurrences, parseSchedule, type Schedule } from '../../core/schedule.ts';
import { EventCalendar, type EventWindow } from '../../plan/forecast/events.ts';
import type { Announced } from './announcements.ts';
import type { EventReport } from './ports.ts';

/** Schedules are laid out so far ahead, and again when a third of it has passed: an hour is always known. */
const AHEAD_MS = 5_400_000;
/** Shown to operators. */
const SHOWN_MS = 3_600_000;
/** Of one schedule at a time; of a frequent one the next come before these are over. */
const MOST_OCCURRENCES = 128;
/** Nobody looks farther ahead than the longest horizon: so long before what is laid out ends, more is. */
const MARGIN_MS = 660_000;
const LEAST_BETWEEN_MS = 10_000;
/** The wall clock was set: everything is laid out anew. */
const JUMP_MS = 2_000;

interface Planned extends EventWindow {
  readonly id: string;
  readonly backends: readonly string[] | null;
  readonly source: EventReport['source'];
}

export class EventPlan {
  readonly #cluster: string;
  readonly #calendars = new Map<string, EventCalendar>();
  #schedules: readonly { readonly config: EventPlanConfig; readonly schedule: Schedule }[] = [];
  #announced: readonly Announced[] = [];
  #windows: readonly Planned[] = [];
  #laidOutMs = Number.NaN;
  /** When it is laid out again. */
  #againMs = Number.NaN;
  #lastWallMs = Number.NaN;
  #lastMs = Number.NaN;

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  configure(events: readonly EventPlanConfig[]): void {
    this.#schedules = events.flatMap(config => {
      const schedule = parseSchedule(config.at);
      return typeof schedule === 'string' ? [] : [{ config, schedule }];
    });
    this.#laidOutMs = Number.NaN;
  }

  announce(announced: readonly Announced[]): void {
    this.#announced = announced;
    this.#laidOutMs = Number.NaN;
  }

  /** Once a tick: lays out anew when time has gone on, or was set. */
  tick(wallMs: number, nowMs: number): void {
    const jumped = Math.abs(wallMs - this.#lastWallMs - (nowMs - this.#lastMs)) > JUMP_MS;
    this.#lastWallMs = wallMs;
    this.#lastMs = nowMs;
    const fresh = wallMs >= this.#laidOutMs && wallMs < this.#againMs;
    if (fresh && !jumped) return;
    this.#laidOutMs = wallMs;
    this.#layOut(wallMs);
  }

  /** Shared by those whom the same events concern: the backend's own view. */
  calendarOf(backend: string): EventCalendar {
    const known = this.#calendars.get(backend);
    if (known !== undefined) return known;
    const calendar = new EventCalendar();
    this.#calendars.set(backend, calendar);
    this.#fill(backend, calendar);
    return calendar;
  }

  forget(backend: string): void {
    this.#calendars.delete(backend);
  }

  /** Those of one backend that hold at some moment from `fromMs` to `toMs`. */
  between(backend: string, fromMs: number, toMs: number): readonly EventWindow[] {
    if (this.#windows.length === 0) return [];
    return this.#windows.filter(
      window => concerns(window, backend) && window.startWallMs <= toMs && window.endWallMs > fromMs,
    );
  }

  report(wallMs: number): readonly EventReport[] {
    return this.#windows
      .filter(({ endWallMs }) => endWallMs > wallMs)
      .filter(({ startWallMs, source }) => source === 'announced' || startWallMs < wallMs + SHOWN_MS)
      .map(({ id, name, backends, factor, startWallMs, endWallMs, source }) => ({
        id,
        cluster: this.#cluster,
        name,
        backends,
        factor,
        startMs: startWallMs,
        endMs: endWallMs,
        source,
      }));
  }

  #layOut(wallMs: number): void {
    // What runs keeps its object: the forecaster learns from a window as long as it is the same one.
    const known = new Map(this.#windows.map(window => [window.id, window]));
    const planned: Planned[] = [];
    let endMs = wallMs + AHEAD_MS;
    for (const { config, schedule } of this.#schedules) {
      const { name, factor, backends } = config;
      const starts = occurrences(schedule, wallMs - config.for, wallMs + AHEAD_MS, MOST_OCCURRENCES);
      if (starts.length === MOST_OCCURRENCES) endMs = Math.min(endMs, starts.at(-1)!);
      for (const startMs of starts)
        planned.push({
          id: `${name}@${new Date(startMs).toISOString()}`,
          name,
          factor,
          backends: backends ?? null,
          startWallMs: startMs,
          endWallMs: startMs + config.for,
          source: 'config',
        });
    }
    for (const { id, name, factor, backends, startMs, endMs } of this.#announced)
      if (endMs > wallMs)
        planned.push({
          ...{ id, name, factor, backends },
          startWallMs: startMs,
          endWallMs: endMs,
          source: 'announced',
        });
    this.#windows = planned
      .map(window => {
        const before = known.get(window.id);
        return before !== undefined && JSON.stringify(before) === JSON.stringify(window) ? before : window;
      })
      .sort((a, b) => a.startWallMs - b.startWallMs);
    this.#againMs = wallMs + AHEAD_MS / 3;
    this.#againBefore(endMs);
    for (const [backend, calendar] of this.#calendars) this.#fill(backend, calendar);
  }

  /** What is laid out is whole until then. */
  #againBefore(endMs: number): void {
    const dueMs = Math.max(this.#laidOutMs + LEAST_BETWEEN_MS, endMs - MARGIN_MS);
    this.#againMs = Math.min(this.#againMs, dueMs);
  }

  #fill(backend: string, calendar: EventCalendar): void {
    calendar.replace(this.#windows.filter(window => concerns(window, backend)));
    this.#againBefore(calendar.endMs);
  }
}

const concerns = ({ backends }: Planned, backend: string): boolean =>
  backends === null || backends.includes(backend);
