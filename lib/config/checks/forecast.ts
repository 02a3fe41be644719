// Forecasts: events about backends that are not there, events that never end, a gate that nothing could shut.

import { parseSchedule } from '../../core/schedule.ts';
import { formatDuration } from '../../core/units.ts';
import { backendId, type ClusterConfig } from '../cluster.ts';
import { quoted } from '../describe.ts';
import type { Draft } from '../draft.ts';
import { nearest } from '../near.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';

export function* checkForecasts(draft: Draft): Generator<Finding> {
  for (const [name, cluster] of draft.clusters) {
    if (cluster === undefined) continue;
    const path: Path = ['clusters', name];
    if (cluster.forecast === 'off' && cluster.balance.pool !== 'off')
      yield error([...path, 'balance', 'pool'], {
        atKey: true,
        what: 'goes by the load foreseen, and forecast is off',
        expected: 'a forecast',
      });
    if (cluster.forecast !== 'off') yield* events(cluster, cluster.forecast.events, [...path, 'forecast']);
    else if (cluster.balance.gate !== 'off' && draft.given([...path, 'balance', 'gate']))
      yield warning([...path, 'balance', 'gate'], {
        atKey: true,
        what: 'has no effect with forecast: off',
        expected: 'a forecast',
      });
  }
}

type Events = Exclude<ClusterConfig['forecast'], 'off'>['events'];

function* events({ backends, discovery }: ClusterConfig, list: Events, path: Path): Generator<Finding> {
  const known = backends.map(backendId);
  for (const [i, event] of list.entries()) {
    const at = [...path, 'events', i];
    const schedule = parseSchedule(event.at);
    if (typeof schedule === 'object' && schedule.kind === 'every' && event.for >= schedule.everyMs)
      yield error([...at, 'for'], {
        what: `the next begins before this one ends: ${quoted(event.at)}`,
        expected: `less than ${formatDuration(schedule.everyMs)}`,
        found: formatDuration(event.for),
      });
    // What discovery or the admin API will find is not known here.
    if (discovery !== undefined) continue;
    for (const [j, id] of (event.backends ?? []).entries()) {
      if (known.includes(id)) continue;
      const meant = nearest(id, known);
      const what = `no backend ${quoted(id)} stands in this cluster`;
      yield warning([...at, 'backends', j], {
        what,
        ...(meant === undefined
          ? { expected: `one of ${known.slice(0, 10).join(', ') || 'none'}` }
          : { hint: `did you mean "${meant}"?` }),
      });
    }
  }
}
