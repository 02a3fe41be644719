// The figures of a run by name: their unit, which way is better, how they are read from a run.

import type { RunFigures } from '../run.ts';

interface FigureKind {
  readonly title: string;
  readonly unit: string;
  readonly sense: '<=' | '>=';
  of(run: RunFigures): number;
}

export const FIGURES = {
  p50: { title: 'P50', unit: 'ms', sense: '<=', of: run => run.p50 },
  p90: { title: 'P90', unit: 'ms', sense: '<=', of: run => run.p90 },
  p99: { title: 'P99', unit: 'ms', sense: '<=', of: run => run.p99 },
  p999: { title: 'P99.9', unit: 'ms', sense: '<=', of: run => run.p999 },
  success: { title: 'OK', unit: '%', sense: '>=', of: run => run.success * 100 },
  failures: { title: 'FAILED', unit: '%', sense: '<=', of: run => (1 - run.success) * 100 },
  errors: { title: 'ERRORS', unit: '%', sense: '<=', of: run => run.errors * 100 },
  slow: { title: 'SLOW', unit: '%', sense: '<=', of: run => run.slow * 100 },
  goodput: { title: 'GOODPUT', unit: '/s', sense: '>=', of: run => run.goodput },
  probes: { title: 'PROBES', unit: 'per request', sense: '<=', of: run => run.probes },
  pool: { title: 'POOL', unit: '%', sense: '<=', of: run => run.pool * 100 },
  spread: { title: 'MAX/MEAN', unit: 'ratio', sense: '<=', of: run => run.spread },
} as const satisfies Record<string, FigureKind>;

export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as [FigureName, ...FigureName[]];
