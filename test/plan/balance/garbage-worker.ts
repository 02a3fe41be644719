// A thread with a young generation so large that nothing is collected while it counts what picks allocate.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type { Random } from '../../../lib/core/random.ts';
import { type Policy, pickerFactory } from '../../../lib/plan/balance/pickers.ts';
import { same, World } from './world.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Counts through the unit interval; itself allocates nothing, so that what is counted is the picker's own. */
class Steps implements Random {
  #at = 0;
  next(): number {
    this.#at = (this.#at + 40_503) & 0xffff;
    return this.#at / 0x1_0000;
  }
}

const { policy, picks } = workerData as { policy: Policy; picks: number };
const world = new World(same(100));
const picker = pickerFactory({ policy, hash: { bound: 1.25 }, maglev: { table: 65_537 } })(
  world.candidates,
  world,
  new Steps(),
);
for (let i = 0; i < world.latencies.length; i++) world.latencies[i] = 1 + (i % 9);
const one = { key: 0, accepts: (slot: number) => slot % 5 !== 0 };

function run(count: number): void {
  for (let i = 0; i < count; i++) {
    one.key = (i * 2_654_435) & 0x3fff_ffff;
    const slot = picker.pick(one);
    world.loads[slot] = (world.loads[slot]! + 1) & 3;
  }
}

// The first rounds run code that is not optimised yet; the least of all is what a pick costs from then on.
let least = Number.POSITIVE_INFINITY;
for (let round = 0; round < 4; round++) {
  collect();
  const before = process.memoryUsage().heapUsed;
  run(picks);
  least = Math.min(least, process.memoryUsage().heapUsed - before);
}
parentPort!.postMessage(least);
