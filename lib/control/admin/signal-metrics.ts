// What backends say of their own load, and how the sources of it are doing, as metrics.

import type { Exposition, Labels } from './exposition.ts';
import type { BackendReport } from './ports.ts';

export function signalFamilies(out: Exposition, backends: readonly BackendReport[]): void {
  const each = <T>(
    pick: (backend: BackendReport) => readonly T[],
    labels: (item: T) => Labels,
    value: (item: T) => number,
  ): [Labels, number][] =>
    backends.flatMap(backend =>
      pick(backend).map((item): [Labels, number] => [
        { cluster: backend.cluster, backend: backend.id, ...labels(item) },
        value(item),
      ]),
    );
  const signals = (value: (signal: BackendReport['signals'][number]) => number) =>
    each(
      backend => backend.signals,
      ({ signal, source }) => ({ signal, source }),
      value,
    );
  const sources = (value: (source: BackendReport['sources'][number]) => number) =>
    each(
      backend => backend.sources,
      ({ source, name }) => ({ source, name }),
      value,
    );
  out.family(
    {
      name: 'leaseway_signal_value',
      type: 'gauge',
      help: 'What a backend said of its load last; shares are 0 to 1.',
    },
    signals(({ value }) => value),
  );
  out.family(
    {
      name: 'leaseway_signal_age_seconds',
      type: 'gauge',
      help: 'Since it said so.',
      unit: 'seconds',
    },
    signals(({ ageMs }) => ageMs / 1000),
  );
  out.family(
    { name: 'leaseway_signal_source_up', type: 'gauge', help: '1 while the source answers as it should.' },
    sources(({ ok }) => (ok === true ? 1 : 0)),
  );
  out.family(
    {
      name: 'leaseway_signal_failures_total',
      type: 'counter',
      help: 'Times that the source did not answer well.',
    },
    sources(({ failures }) => failures),
  );
  out.family(
    {
      name: 'leaseway_signal_values_refused_total',
      type: 'counter',
      help: 'Values that could not be a load, and were left out.',
    },
    sources(({ refused }) => refused),
  );
}
