// A decision as an OpenTelemetry event: a log record with a name of its own, not subject to the log's limits.

import type { LogEntry } from '../../telemetry/log.ts';
import type { DecisionRecord } from './ports.ts';

const WHAT: Readonly<Record<DecisionRecord['kind'], string>> = {
  migration: 'session moved',
  failover: 'session failed over',
  extension: 'lease terms changed',
  shed: 'HTTP sessions shed',
  termination: 'session ended',
};

export const decisionEvent = (record: DecisionRecord): LogEntry => ({
  timeMs: record.atMs,
  level: record.outcome === 'failed' || record.outcome === 'lost' ? 'warn' : 'info',
  message: WHAT[record.kind],
  fields: {
    'event.name': `leaseway.session.${record.kind}`,
    reason: record.reason,
    outcome: record.outcome,
    cluster: record.cluster,
    from: record.from,
    ...(record.to !== null && { to: record.to }),
    ...(record.session !== null && { session: record.session }),
    ...(record.fromLevel !== null && { 'from.predicted': record.fromLevel }),
    ...(record.toLevel !== null && { 'to.predicted': record.toLevel }),
    ...(record.holdMs !== null && { hold_ms: record.holdMs }),
    ...(record.detail !== '' && { detail: record.detail }),
  },
});
