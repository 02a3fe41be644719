// What is known to come for one cluster: configured schedules and announcements as windows of time, per backend.

import type { EventPlanConfig } from '../../config/forecast.ts';
import { occurrences, parseSchedule, type Schedule } from '../../core/schedule.ts';
import { EventCalendar, type EventWindow } from '../../plan/forecast/events.ts';
import type { Announced } from './announcements.ts';
import type { EventReport } from './ports.ts';

/** Schedules are laid out so far ahead, and again each time half of it has passed. */
const AHEAD_MS = 3_600_000;
/** Of one schedule; the most frequent has one every ten seconds. */
const MOST_OCCURRENCES = 64;
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
    const fresh = wallMs >= this.#laidOutMs && wallMs < this.#laidOutMs + AHEAD_MS / 2;
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
    for (const { config, schedule } of this.#schedules) {
      const { name, factor, backends } = config;
      for (const startMs of occurrences(schedule, wallMs - config.for, wallMs + AHEAD_MS, MOST_OCCURRENCES))
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
    for (const [backend, calendar] of this.#calendars) this.#fill(backend, calendar);
  }

  #fill(backend: string, calendar: EventCalendar): void {
    calendar.replace(this.#windows.filter(window => concerns(window, backend)));
  }
}

const concerns = ({ backends }: Planned, backend: string): boolean =>
  backends === null || backends.includes(backend);
