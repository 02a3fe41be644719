// The threads of the torture test: workers that use everything at full speed, and a control thread that publishes without
// pause. Each goes on until it is killed or told to stop. What they find wrong goes into shared cells, since a thread that
// is killed sends no messages.

import { workerData } from 'node:worker_threads';
import { systemClock } from '../../lib/core/clock.ts';
import { LoadReading } from '../../lib/core/orca/reading.ts';
import { below, seededRandom } from '../../lib/core/random.ts';
import { SIGNAL_KINDS } from '../../lib/core/signal-kinds.ts';
import { GradientLimiter } from '../../lib/plan/overload/gradient.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import type { Scoreboard } from '../../lib/scoreboard/layout.ts';
import { type Decision, Outcome, type OutcomeCode } from '../../lib/scoreboard/ports.ts';

/** One slot's backend reports, so often that reader and writer meet. */
const REPORTING_SLOT = 0;
const REPORTS_A_TURN = 32;
const READS_A_TURN = 64;
/** Enough that a thread is often stopped in the middle of a copy or a write. */
export const SLOTS = 256;
/** Places at slot 0 … LIMITED − 1. */
export const LIMITED = 3;
export const LIMIT = 2;
export const LISTENERS = 2;
export const MOST_CONNECTIONS = 5;
export const MOST_PER_CLIENT = 2;
/** A fraction of a microsecond; who holds a place holds it for many. */
const LOOKS = 64;
/** Of each listener. */
const CLIENTS = 4;

/** Cells of the shared notes. */
export const NOTE = {
  stop: 0,
  mixed: 1,
  fellBack: 2,
  overLimit: 3,
  overConnections: 4,
  overPerClient: 9,
  turnedAway: 10,
  wildLimit: 11,
  adapted: 12,
  snapshots: 5,
  acquired: 6,
  refused: 7,
  woken: 8,
  tornReports: 11,
  reportsRead: 12,
  /** Who has which place: CAS from 0 to row + 1. */
  places: 16,
  doors: 64,
  rooms: 96,
} as const;
export const NOTES = 128;

export interface TortureData {
  /** A reader is a worker that does nothing else. */
  readonly kind: 'worker' | 'reader' | 'control';
  readonly board: Scoreboard;
  readonly notes: SharedArrayBuffer;
  readonly row: number;
  readonly seed: number;
}

/** Of the adaptive limits at slots ADAPTIVE … ADAPTIVE + 1. */
export const BOUNDS = { min: 3, max: 90 };
export const ADAPTIVE = 8;
export const GENERATION = 5;
const limiter = new GradientLimiter({ initial: 20, ...BOUNDS, tolerance: 1.25, remeasureMs: 100 });

/** Runs in the main thread too, where there is no data. */
if (workerData?.kind === 'worker' || workerData?.kind === 'reader') await work(workerData as TortureData);
if (workerData?.kind === 'control') control(workerData as TortureData);

function control({ board, notes }: TortureData): void {
  const cells = new Int32Array(notes);
  const plane = attachControl(board);
  while (Atomics.load(cells, NOTE.stop) === 0) {
    const stamp = plane.generation + 1;
    const decision: Decision = {
      state: stamp,
      milliWeight: stamp,
      concurrency: stamp,
      slotGeneration: stamp,
      milliPredicted: stamp,
      gate: stamp & 1,
      ...{ shedFraction: stamp, shedTurn: stamp, leaseMs: stamp },
      outside: stamp & 1,
    };
    // Now more, now fewer slots: what is no longer named must vanish too.
    const count = 1 + (stamp % SLOTS);
    plane.publish(new Map(Array.from({ length: count }, (_, slot) => [slot, decision])));
    plane.heartbeat();
    for (let read = 0; read < READS_A_TURN; read++) readReports();
  }

  /** Each worker says one number for all kinds: what a reader takes of one moment of one worker is one number. */
  function readReports(): void {
    let first = -1;
    let firstAgeMs = -1;
    plane.reports(REPORTING_SLOT, 1, (_, value, ageMs) => {
      if (first < 0) [first, firstAgeMs] = [value, ageMs];
      // Equal ages may be those of two workers, who say different things: a worker's number tells which it is.
      else if (ageMs === firstAgeMs && value !== first && value % 64 === first % 64)
        Atomics.add(cells, NOTE.tornReports, 1);
      Atomics.add(cells, NOTE.reportsRead, 1);
    });
  }
}

async function work({ kind, board, notes, row, seed }: TortureData): Promise<void> {
  const cells = new Int32Array(notes);
  const random = seededRandom(seed);
  const { ledger, clients, decisions } = attachWorker(board, row, systemClock, random);
  using _ = ledger.onReleased(() => void Atomics.add(cells, NOTE.woken, 1));
  /** Place held at each limited slot, places held by each connected client: a thread dies with some of them. */
  const held = new Array<number>(LIMITED).fill(-1);
  const connected = new Array<number[] | null>(CLIENTS * LISTENERS).fill(null);
  const watched = attachControl(board);
  let last = 0;
  const reading = new LoadReading();
  reading.mask = 2 ** SIGNAL_KINDS.length - 1;
  for (let turn = 0; Atomics.load(cells, NOTE.stop) === 0; turn++) {
    if (decisions.refresh()) {
      Atomics.add(cells, NOTE.snapshots, 1);
      if (decisions.generation <= last) Atomics.add(cells, NOTE.fellBack, 1);
      last = decisions.generation;
      const named = 1 + (last % SLOTS);
      for (let slot = 0; slot < SLOTS; slot++) {
        const wanted = slot < named ? last : 0;
        const predicted = Math.round(decisions.predicted(slot) * 1000);
        const found = [decisions.state(slot), decisions.milliWeight(slot), predicted];
        if (found.some(cell => cell !== wanted)) Atomics.add(cells, NOTE.mixed, 1);
      }
    }
    if (turn % 64 === 0) ledger.heartbeat();
    if (kind === 'reader') continue;
    exchange();
    connection();
    for (let report = 0; report < REPORTS_A_TURN; report++) {
      reading.values.fill(row + 64 * ((turn * REPORTS_A_TURN + report) % 10_000));
      ledger.reported(REPORTING_SLOT, 1, reading);
    }
    adapt();
    clients.takeToken(below(random, 500), 1000, 5);
    if (turn % 64 === 0) await new Promise(resolve => setImmediate(resolve)); // lets wakes be delivered
  }
  // Told to stop: gives everything back itself, in the same order as ever, since the others may still run.
  for (const [slot, place] of held.entries()) if (place >= 0) yieldPlace(slot, place);
  for (const [client, inside] of connected.entries()) if (inside !== null) disconnect(client, inside);

  function yieldPlace(slot: number, place: number): void {
    Atomics.store(cells, place, 0);
    held[slot] = -1;
    ledger.release(slot);
  }

  function disconnect(client: number, inside: readonly number[]): void {
    for (const place of inside) Atomics.store(cells, place, 0);
    connected[client] = null;
    clients.leave(client % LISTENERS, client);
  }

  function exchange(): void {
    const slot = below(random, SLOTS);
    ledger.begin(slot);
    ledger.asked(slot, systemClock.monotonicMs());
    ledger.tunnel(slot, 1);
    const limited = below(random, LIMITED);
    const place = held[limited]!;
    if (place >= 0) yieldPlace(limited, place);
    else if (ledger.acquire(limited, LIMIT)) {
      Atomics.add(cells, NOTE.acquired, 1);
      held[limited] = occupy(NOTE.places + limited * LIMIT, LIMIT, NOTE.overLimit);
    } else Atomics.add(cells, NOTE.refused, 1);
    ledger.tunnel(slot, -1);
    if (below(random, 8) === 0) ledger.unanswered(slot);
    else ledger.answered(slot, true, systemClock.monotonicMs());
    ledger.settle(slot, below(random, 5) as OutcomeCode, 5);
  }

  function adapt(): void {
    const slot = ADAPTIVE + below(random, 2);
    ledger.adapt(slot, GENERATION, limiter, below(random, 40) === 0 ? Outcome.failure : Outcome.success, 5);
    const limit = watched.adapted(slot, GENERATION);
    // Seen by all from the first turn on, whoever died in it.
    if (limit !== 0) Atomics.add(cells, NOTE.adapted, 1);
    if (limit !== 0 && (limit < BOUNDS.min || limit > BOUNDS.max)) Atomics.add(cells, NOTE.wildLimit, 1);
  }

  function connection(): void {
    const client = below(random, CLIENTS * LISTENERS);
    const listener = client % LISTENERS;
    const inside = connected[client]!;
    if (inside !== null) disconnect(client, inside);
    else if (clients.enter(listener, client, MOST_CONNECTIONS, MOST_PER_CLIENT))
      connected[client] = [
        occupy(NOTE.doors + client * MOST_PER_CLIENT, MOST_PER_CLIENT, NOTE.overPerClient),
        occupy(NOTE.rooms + listener * MOST_CONNECTIONS, MOST_CONNECTIONS, NOTE.overConnections),
      ];
    else Atomics.add(cells, NOTE.turnedAway, 1);
  }

  /**
   * Who was let in finds a free place, since no more are in than there are places. Others may come and go while it looks,
   * so it looks a few times, but not so long that one who is too many is saved by another who leaves. A place is one
   * cell, so that a kill leaves no doubt who stood where.
   */
  function occupy(first: number, count: number, note: number): number {
    for (let look = 0; look < LOOKS; look++) {
      const place = first + (look % count);
      if (Atomics.compareExchange(cells, place, 0, row + 1) === 0) return place;
    }
    Atomics.add(cells, note, 1);
    return -1;
  }
}
