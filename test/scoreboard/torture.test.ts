// Readers and writers at full speed in real threads, killed at random, dozens of times.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { systemClock } from '../../lib/core/clock.ts';
import { below, seededRandom } from '../../lib/core/random.ts';
import type { Limiter } from '../../lib/plan/overload/limiter.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard, type Scoreboard } from '../../lib/scoreboard/layout.ts';
import { HeartbeatReader, releaseRow } from '../../lib/scoreboard/supervise.ts';
import {
  ADAPTIVE,
  GENERATION,
  LIMIT,
  LIMITED,
  LISTENERS,
  MOST_CONNECTIONS,
  NOTE,
  NOTES,
  SLOTS,
  type TortureData,
} from './torture-threads.ts';

/** The last of them only reads. */
const WORKERS = 4;
const RUN_MS = Number(process.env.TORTURE_MS ?? 8_000);
const SEED = Number(process.env.SEED ?? Math.floor(systemClock.wallMs()) % 1_000_000);

t.test(
  'threads killed at any moment leave nothing behind and show nobody a mixture',
  { timeout: 60_000 },
  async t => {
    t.comment(`SEED=${SEED}`);
    const random = seededRandom(SEED);
    const board = createScoreboard({
      workers: WORKERS,
      slots: SLOTS,
      routes: 4,
      tokenBuckets: 128,
      clientCells: 64,
    });
    const notes = new SharedArrayBuffer(NOTES * 4);
    const cells = new Int32Array(notes);
    const url = new URL('./torture-threads.ts', import.meta.url);
    const start = (kind: TortureData['kind'], row: number): Worker => {
      const data: TortureData = { kind, board, notes, row, seed: below(random, 2 ** 31) };
      const thread = new Worker(url, { workerData: data, execArgv: [] });
      thread.on('error', error => t.fail(`${kind} ${row}: ${error.stack}`));
      return thread;
    };
    const beats = new HeartbeatReader(board, systemClock);
    const watched = attachControl(board);
    let control = start('control', 0);
    const kindOf = (row: number) => (row === WORKERS - 1 ? 'reader' : 'worker');
    const workers = Array.from({ length: WORKERS }, (_, row) => start(kindOf(row), row));
    let kills = 0;
    let generation = 0;
    const until = systemClock.monotonicMs() + RUN_MS;
    const note = (name: keyof typeof NOTE): number => cells[NOTE[name]]!;
    const busy = (): boolean =>
      note('snapshots') > 100 && note('refused') > 100 && note('woken') > 10 && note('turnedAway') > 100;
    // Longer where the machine is busy with other things.
    while (systemClock.monotonicMs() < until || (!busy() && systemClock.monotonicMs() < until + 30_000)) {
      // A thread that has not begun has nothing to leave: wait until it turns, then a little by chance.
      const victim = below(random, WORKERS + 1);
      await untilTrue(() =>
        victim === WORKERS ? beats.controlAgeMs() < 1000 : Number.isFinite(beats.workerAgeMs(victim)),
      );
      await pause(random.next() * 30);
      kills += 1;
      if (victim === WORKERS) {
        await control.terminate();
        control = start('control', 0);
      } else {
        await workers[victim]!.terminate();
        // The notes of the test first: a place is given back on the board only when nobody stands on it.
        for (let place = NOTE.places; place < NOTES; place++)
          Atomics.compareExchange(cells, place, victim + 1, 0);
        releaseRow(board, victim);
        workers[victim] = start(kindOf(victim), victim);
      }
      if (watched.generation < generation)
        t.fail(`generation fell from ${generation} to ${watched.generation}`);
      generation = watched.generation;
    }
    Atomics.store(cells, NOTE.stop, 1);
    await Promise.all([control, ...workers].map(thread => once(thread, 'exit')));

    t.comment(
      `${kills} kills, ${note('snapshots')} snapshots, ${note('acquired')} places taken, ${note('refused')} refused, ${note('woken')} wakes, ${note('turnedAway')} turned away, generation ${generation}`,
    );
    t.ok(busy(), 'readers read, places and doors were fought for, waiters were woken');
    t.equal(note('mixed'), 0, 'never a mixed snapshot');
    t.ok(note('reportsRead') > 100, `${note('reportsRead')} reported values read`);
    t.equal(note('tornReports'), 0, 'never parts of two load reports');
    t.equal(note('fellBack'), 0, 'no reader saw the generation fall');
    t.equal(note('overLimit'), 0, 'never more places taken than there are');
    t.ok(note('adapted') > 1000, 'adaptive limits were in force');
    t.equal(note('wildLimit'), 0, 'and within their bounds, whoever died in his turn');
    t.equal(note('overConnections'), 0, 'never more connections of a listener than allowed');
    t.equal(note('overPerClient'), 0, 'never more connections of a client than allowed');
    for (let slot = 0; slot < SLOTS; slot++) {
      t.ok(watched.idle(slot), `nothing is left at slot ${slot}`);
      t.equal(watched.waiting(slot), 0, 'and nobody waits for an answer');
      t.equal(watched.silentMs(slot), 0);
    }

    for (const slot of [ADAPTIVE, ADAPTIVE + 1])
      t.ok(await moves(board, slot), `the limit at slot ${slot} still moves: nobody died with the turn`);

    // And everything still works: all places and doors can be taken, and no more than all.
    const { ledger, clients } = attachWorker(board, 0);
    for (let slot = 0; slot < LIMITED; slot++) {
      for (let place = 0; place < LIMIT; place++) t.equal(ledger.acquire(slot, LIMIT), true);
      t.equal(ledger.acquire(slot, LIMIT), false);
    }
    for (let listener = 0; listener < LISTENERS; listener++) {
      for (let n = 0; n < MOST_CONNECTIONS; n++)
        t.equal(clients.enter(listener, 100 + n, MOST_CONNECTIONS, 1), true);
      t.equal(clients.enter(listener, 200, MOST_CONNECTIONS, 1), false);
    }
  },
);

/** True when a new worker moves the limit, by what it sees. */
async function moves(board: Scoreboard, slot: number): Promise<boolean> {
  const { ledger } = attachWorker(board, 0);
  const limiter: Limiter = {
    initial: 20,
    step: state => {
      state.limit = 77;
      return true;
    },
  };
  for (let tries = 0; tries < 200; tries++) {
    ledger.adapt(slot, GENERATION, limiter, 0, 5);
    if (attachControl(board).adapted(slot, GENERATION) === 77) return true;
    await pause(10);
  }
  return false;
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => systemClock.after(ms, resolve));
}

async function untilTrue(condition: () => boolean): Promise<void> {
  const deadline = systemClock.monotonicMs() + 20_000;
  while (!condition()) {
    if (systemClock.monotonicMs() > deadline) throw new Error('a thread did not begin within 20 s');
    await pause(5);
  }
}
