// A scoreboard that shows what a test writes on it, for the control plane's side.

import type {
  BackendTotals,
  ControlBoard,
  Decision,
  HistogramView,
  WorkerCounter,
} from '../../lib/scoreboard/ports.ts';

const NO_TOTALS: BackendTotals = {
  attempts: 0,
  successes: 0,
  serverErrors: 0,
  failures: 0,
  cancelled: 0,
  consecutiveFailures: 0,
  latencySumMs: 0,
  bytesIn: 0,
  bytesOut: 0,
  loadReports: 0,
  loadValuesRefused: 0,
};
const EMPTY: HistogramView = { counts: [], sumS: 0, bytesIn: 0, bytesOut: 0 };

export class FakeBoard implements ControlBoard {
  readonly requestsAt = new Map<number, number>();
  readonly tunnelsAt = new Map<number, number>();
  /** Two requests have waited at it for so many milliseconds. */
  readonly silentFor = new Map<number, number>();
  readonly totalsAt = new Map<number, BackendTotals>();
  generation = 0;
  published: ReadonlyMap<number, Decision> = new Map();

  publish(decisions: ReadonlyMap<number, Decision>): void {
    for (const [slot, { slotGeneration }] of decisions)
      if (this.published.get(slot)?.slotGeneration !== slotGeneration) this.totalsAt.delete(slot);
    this.published = decisions;
    this.generation++;
  }

  heartbeat(): void {}

  inFlight(slot: number): number {
    return this.requestsAt.get(slot) ?? 0;
  }

  tunnels(slot: number): number {
    return this.tunnelsAt.get(slot) ?? 0;
  }

  waiting(slot: number): number {
    return this.silentFor.has(slot) ? 2 : 0;
  }

  silentMs(slot: number): number {
    return this.silentFor.get(slot) ?? 0;
  }

  permits(slot: number): number {
    return this.inFlight(slot);
  }

  adapted(): number {
    return 0;
  }

  shed(): number {
    return 0;
  }

  waits(): HistogramView {
    return EMPTY;
  }

  totals(slot: number): BackendTotals {
    return this.totalsAt.get(slot) ?? NO_TOTALS;
  }

  reports(): void {}

  idle(slot: number): boolean {
    return this.inFlight(slot) === 0 && this.tunnels(slot) === 0;
  }

  worker(): Readonly<Record<WorkerCounter, number>> {
    return {} as Record<WorkerCounter, number>;
  }

  requestHistogram(): HistogramView {
    return EMPTY;
  }

  backendHistogram(): HistogramView {
    return EMPTY;
  }

  /** `count` attempts failed in a row. */
  fail(slot: number, count: number): void {
    const before = this.totals(slot);
    this.totalsAt.set(slot, {
      ...before,
      attempts: before.attempts + count,
      failures: before.failures + count,
      consecutiveFailures: before.consecutiveFailures + count,
    });
  }

  succeed(slot: number, count: number): void {
    const before = this.totals(slot);
    this.totalsAt.set(slot, {
      ...before,
      attempts: before.attempts + count,
      successes: before.successes + count,
      consecutiveFailures: 0,
    });
  }
}
