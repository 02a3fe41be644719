// Events as people read them. Pure.

import type { EventReport } from '../control/forecast/ports.ts';
import { shortDuration } from './figures.ts';
import { printable } from './table.ts';

/** One line an event: what, whom it concerns, when. */
export function eventLines(events: readonly EventReport[], nowMs: number): string {
  return events.map(event => `event ${eventText(event, nowMs)}\n`).join('');
}

export function eventText(event: EventReport, nowMs: number): string {
  const { id, cluster, backends, factor, startMs, endMs } = event;
  const whom = backends === null ? cluster : backends.map(backend => `${cluster}/${backend}`).join(', ');
  const when =
    startMs > nowMs
      ? `in ${shortDuration(startMs - nowMs)} for ${shortDuration(endMs - startMs)}`
      : `now, for another ${shortDuration(endMs - nowMs)}`;
  return printable(`${id}: ${factor} × the load of ${whom}, ${when}`);
}
