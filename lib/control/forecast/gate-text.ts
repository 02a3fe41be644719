// Why a gate is not open, in words.

import { type GateReason, type Signs, Standing } from '../../plan/balance/gate.ts';
import type { GateState } from './ports.ts';

export const GATE_STATES = {
  [Standing.open]: 'open',
  [Standing.lastResort]: 'last_resort',
  [Standing.shut]: 'shut',
} as const satisfies Readonly<Record<Standing, GateState>>;

/** `signs` as of the last tick; null where none was judged. */
export function gateText(reason: GateReason, signs: Signs | null, predicted: number, limit: number): string {
  switch (reason) {
    case 'capacity':
      return `of its usual capacity ${Math.round(100 * (signs?.capacity ?? 0))} % is left`;
    case 'memory':
      return 'its memory is near the level at which it paused before';
    case 'stall':
      return `it stands still: requests wait and none is answered, usually in ${(signs?.usualMs ?? 0).toFixed(0)} ms`;
    case 'load':
      return `predicted load ${predicted.toFixed(2)} is over ${limit.toFixed(2)}`;
  }
}
