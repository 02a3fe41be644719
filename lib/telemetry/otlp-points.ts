// Gauges and sums as the exporter takes them: plain objects, as the SDK's MetricData has them.

import type { HrTime, OtlpMetrics } from './otlp-packages.ts';

export type Metric = OtlpMetrics['scopeMetrics'][number]['metrics'][number];
export type Attributes = Record<string, string | number>;
export interface Point<T> {
  readonly attributes: Readonly<Attributes>;
  readonly value: T;
}
export interface Span {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

/** Values of the SDK's enumerations (sdk-metrics MetricData, AggregationTemporality; api ValueType). */
const GAUGE = 2;
const SUM = 3;
export const CUMULATIVE = 1;
const INT = 0;
export const DOUBLE = 1;

/** Points without a value are left out: null and NaN say that nothing is known. */
export function gauge(
  name: string,
  description: string,
  unit: string,
  span: Span,
  points: readonly Point<number | null>[],
): Metric {
  return {
    descriptor: { name, description, unit, valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
    dataPointType: GAUGE,
    dataPoints: points.flatMap(({ attributes, value }) =>
      value === null || Number.isNaN(value) ? [] : [{ ...span, attributes, value }],
    ),
  };
}

export function sum(
  name: string,
  description: string,
  unit: string,
  isMonotonic: boolean,
  span: Span,
  points: readonly Point<number>[],
): Metric {
  return {
    descriptor: { name, description, unit, valueType: INT },
    aggregationTemporality: CUMULATIVE,
    dataPointType: SUM,
    isMonotonic,
    dataPoints: points.map(point => ({ ...span, ...point })),
  };
}
