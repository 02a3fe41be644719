// Which sessions of a backend are worth moving: the most load for the least loss.

import type { SessionTable } from './table.ts';

/** What every move costs, as a share of the mean activity: a held client, a handshake, a first miss. */
const HANDOVER_SHARE = 0.25;
/** Rows that one tick may want of one backend; what is left over is found at the next. */
const MOST = 256;

export interface Ripe {
  readonly placedBeforeMs: number;
  readonly openedBeforeMs: number;
}

/**
 * Rows on `slot` that may move and whose activity is at most `largest`, best first: by activity per cost of the move,
 * where a move costs the handover and the warm state. With nothing warm the largest come first, which is also fewest moves.
 */
export function choose(table: SessionTable, slot: number, ripe: Ripe, largest: number): number[] {
  const { activity, movable, moving, placedMs, openedMs, movingCostS } = table;
  const handover = (HANDOVER_SHARE * table.activityOn(slot)) / Math.max(1, table.countOn(slot));
  const rows: number[] = [];
  const worth: number[] = [];
  for (const row of table.on(slot)) {
    const own = activity[row]!;
    if (movable[row] === 0 || moving[row] === 1 || own > largest || own <= 0) continue;
    // Opened and placed are the same instant for a session that was never moved: its age decides then.
    const moved = placedMs[row]! > openedMs[row]!;
    if (openedMs[row]! > ripe.openedBeforeMs || (moved && placedMs[row]! > ripe.placedBeforeMs)) continue;
    const value = own / (handover + movingCostS[row]! * own);
    if (rows.length === MOST && value <= worth[MOST - 1]!) continue;
    let at = Math.min(rows.length, MOST - 1);
    for (; at > 0 && worth[at - 1]! < value; at--) {
      rows[at] = rows[at - 1]!;
      worth[at] = worth[at - 1]!;
    }
    rows[at] = row;
    worth[at] = value;
  }
  return rows;
}
