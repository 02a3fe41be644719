// A load report as ORCA has it, as policies that learn want it.

import type { LoadReading } from '../../core/orca/reading.ts';
import type { LoadReport } from '../../plan/balance/learner.ts';

/** The application's own word for its load before that of the processor. ORCA has no means over a window and no latency. */
export function loadReport(reading: LoadReading): LoadReport {
  const application = reading.get('application');
  return {
    inFlight: reading.get('inFlight'),
    meanInFlight: Number.NaN,
    requestsPerSecond: reading.get('requestsPerSecond'),
    utilization: Number.isNaN(application) ? reading.get('cpu') : application,
    latencyMs: Number.NaN,
  };
}
