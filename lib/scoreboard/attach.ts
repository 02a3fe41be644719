// Opens the scoreboard for each kind of thread.

import { type Clock, systemClock } from '../core/clock.ts';
import { type Random, systemRandom } from '../core/random.ts';
import { ClientCounts } from './client-counts.ts';
import { BoardOfControl } from './control-board.ts';
import { BoardReader } from './decision-reader.ts';
import { LatencyBook } from './latency.ts';
import { openCells, type Scoreboard } from './layout.ts';
import type { ClientLedger, ControlBoard, DecisionReader, WorkerLedger } from './ports.ts';
import { TokenTable } from './token-table.ts';
import { BoardLedger } from './worker-ledger.ts';

/** What one worker thread has of the scoreboard. */
export interface WorkerBoard {
  readonly ledger: WorkerLedger;
  readonly clients: ClientLedger;
  /** Is a LoadView for the pickers as well. */
  readonly decisions: DecisionReader;
}

/** For the one worker of this row, after releaseRow if there was one before. Beats once, so that its age counts from here. */
export function attachWorker(
  board: Scoreboard,
  row: number,
  clock: Clock = systemClock,
  random: Random = systemRandom,
): WorkerBoard {
  const cells = openCells(board);
  if (!(row >= 0 && row < cells.shape.workers))
    throw new RangeError(`row ${row} is not on a scoreboard of ${cells.shape.workers} workers`);
  const book = new LatencyBook(cells.shape.slots);
  const ledger = new BoardLedger(cells, row, clock, book);
  ledger.heartbeat();
  return {
    ledger,
    clients: clientLedger(board, row, clock, random),
    decisions: new BoardReader(cells, clock, book),
  };
}

/** For the control thread; one at a time. */
export const attachControl = (board: Scoreboard, clock: Clock = systemClock): ControlBoard =>
  new BoardOfControl(openCells(board), clock);

function clientLedger(board: Scoreboard, row: number, clock: Clock, random: Random): ClientLedger {
  const cells = openCells(board);
  const tokens = new TokenTable(cells, random);
  const counts = new ClientCounts(cells, row);
  return {
    takeToken: (key, ratePerSecond, burst) => tokens.take(key, ratePerSecond, burst, clock.monotonicMs()),
    enter: (listener, client, maxTotal, maxPerClient) =>
      counts.enter(listener, client, maxTotal, maxPerClient),
    leave: (listener, client) => counts.leave(listener, client),
    connections: () => counts.connections(),
  };
}
