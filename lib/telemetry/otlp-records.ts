// Finished spans and log messages in the form the OTLP exporters take, with the ids and times the workers gave them.

import type { LogLevel } from '../core/log.ts';
import type { SpanRecord } from '../orders/messages.ts';
import type { LogEntry } from './log.ts';
import { hrTime, type OtlpLogRecord, type OtlpSpan, type Resource, type Scope } from './otlp-packages.ts';

const SPAN_KIND = { server: 1, client: 2 } as const;
const STATUS_UNSET = 0;
const STATUS_ERROR = 2;
const FLAG_SAMPLED = 1;
/** Severity numbers of the OpenTelemetry log data model. */
const SEVERITY: Readonly<Record<LogLevel, 5 | 9 | 13 | 17>> = { debug: 5, info: 9, warn: 13, error: 17 };

/**
 * A span that is over, built without a tracer: the exporters ask for nothing but this shape, and a tracer would draw ids of its own.
 */
export function toOtlpSpan(span: SpanRecord, resource: Resource, scope: Scope): OtlpSpan {
  const context = {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: FLAG_SAMPLED,
    ...(span.traceState === '' ? {} : { traceState: readOnlyTraceState(span.traceState) }),
  };
  const parent =
    span.parentSpanId === null
      ? {}
      : {
          parentSpanContext: {
            traceId: span.traceId,
            spanId: span.parentSpanId,
            traceFlags: FLAG_SAMPLED,
            isRemote: span.kind === 'server',
          },
        };
  return {
    name: span.name,
    kind: SPAN_KIND[span.kind],
    spanContext: () => context,
    ...parent,
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    duration: hrTime(Math.max(0, span.endMs - span.startMs)),
    status: { code: span.error ? STATUS_ERROR : STATUS_UNSET },
    attributes: { ...span.attributes },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** The exporters only serialize it. */
function readOnlyTraceState(text: string) {
  const state = { set: () => state, unset: () => state, get: () => undefined, serialize: () => text };
  return state;
}

export function toOtlpLog(entry: LogEntry, resource: Resource, scope: Scope): OtlpLogRecord {
  const attributes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(entry.fields))
    if (value !== undefined && value !== null) attributes[`leaseway.${name}`] = value;
  return {
    hrTime: hrTime(entry.timeMs),
    hrTimeObserved: hrTime(entry.timeMs),
    severityNumber: SEVERITY[entry.level],
    severityText: entry.level.toUpperCase(),
    body: entry.message,
    attributes,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
  };
}
