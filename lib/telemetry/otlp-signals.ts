// What backends say of their own load as OTLP metrics: the families of the Prometheus endpoint, by the same names.

import { gauge, type Metric, type Point, type Span, sum } from './otlp-points.ts';

export interface SignalsSource {
  readonly signals: readonly {
    readonly signal: string;
    readonly value: number;
    readonly ageMs: number;
    readonly source: string;
  }[];
  readonly sources: readonly {
    readonly source: string;
    readonly name: string;
    readonly ok: boolean | null;
    readonly failures: number;
    readonly refused: number;
  }[];
}

type Backend = SignalsSource & { readonly cluster: string; readonly id: string };

export function signalMetrics(backends: readonly Backend[], span: Span): Metric[] {
  const signals = (value: (signal: SignalsSource['signals'][number]) => number): Point<number>[] =>
    backends.flatMap(backend =>
      backend.signals.map(signal => ({
        attributes: {
          ...attributesOf(backend, signal.source),
          'leaseway.signal': signal.signal,
        },
        value: value(signal),
      })),
    );
  const sources = (value: (source: SignalsSource['sources'][number]) => number): Point<number>[] =>
    backends.flatMap(backend =>
      backend.sources.map(source => ({
        attributes: { ...attributesOf(backend, source.source), 'leaseway.source.name': source.name },
        value: value(source),
      })),
    );
  const value = signals(signal => signal.value);
  const age = signals(({ ageMs }) => ageMs / 1000);
  const up = sources(({ ok }) => (ok === true ? 1 : 0));
  const failures = sources(source => source.failures);
  const refused = sources(source => source.refused);
  return [
    gauge(
      'leaseway.signal.value',
      'What a backend said of its load last; shares are 0 to 1',
      '1',
      span,
      value,
    ),
    gauge('leaseway.signal.age', 'Since it said so', 's', span, age),
    gauge('leaseway.signal.source_up', '1 while the source answers as it should', '1', span, up),
    sum(
      'leaseway.signal.failures',
      'Times that the source did not answer',
      '{failure}',
      true,
      span,
      failures,
    ),
    sum('leaseway.signal.values_refused', 'Values that could not be a load', '{value}', true, span, refused),
  ];
}

const attributesOf = ({ cluster, id }: Backend, source: string) => ({
  'leaseway.cluster': cluster,
  'leaseway.backend': id,
  'leaseway.source': source,
});
