// The whole registry in a world of chance: backends come, go, fail and recover while operators interfere.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cluster } from '../../../lib/config/cluster.ts';
import type { BackendRegistry } from '../../../lib/control/backend/ports.ts';
import { createRegistry } from '../../../lib/control/backend/registry.ts';
import { silentLog } from '../../../lib/core/log.ts';
import { below, type Random, seededRandom } from '../../../lib/core/random.ts';
import { BackendState, type Decision } from '../../../lib/scoreboard/ports.ts';
import { FakeBoard } from '../../support/fake-board.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const STEPS = 400;
const MAX_BACKENDS = 12;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** What may never happen, checked after each tick over the life of all restarts. */
class Watch {
  readonly generations = new Map<string, number>();
  readonly slotGenerations = new Map<number, number>();
  readonly wrong: string[] = [];

  look(registry: BackendRegistry, decisions: ReadonlyMap<number, Decision>, step: number): void {
    const slots = new Set<number>();
    const statuses = registry.status();
    for (const { id, slot, generation, admin, ejectedUntilMs, effectiveWeight, weight } of statuses) {
      const say = (what: string): void => void this.wrong.push(`step ${step}: ${id} ${what}`);
      const decision = decisions.get(slot)!;
      if (slots.has(slot)) say('shares its slot');
      slots.add(slot);
      if (generation < (this.generations.get(id) ?? 0)) say('generation fell');
      this.generations.set(id, generation);
      if (decision.slotGeneration < (this.slotGenerations.get(slot) ?? 0)) say('slot generation fell');
      this.slotGenerations.set(slot, decision.slotGeneration);
      if (admin !== 'ready' && decision.milliWeight > 0) say(`takes work in ${admin}`);
      if (admin === 'maintenance' && decision.state !== BackendState.maintenance) say('is not out');
      if (effectiveWeight > weight) say('weighs too much');
      if (ejectedUntilMs !== null && admin === 'maintenance' && decision.milliWeight > 0)
        say('is ejected and works');
    }
    const ready = statuses.filter(({ admin, weight }) => admin === 'ready' && weight > 0);
    if (ready.length > 0 && !ready.some(({ slot }) => decisions.get(slot)!.milliWeight > 0))
      this.wrong.push(`step ${step}: nobody serves although ${ready.length} could`);
    if (slots.size > MAX_BACKENDS) this.wrong.push(`step ${step}: too many slots`);
  }
}

/** Requests of a quarter second: a few good ones, or a run of failures. */
function traffic(board: FakeBoard, slots: readonly number[], random: Random): void {
  for (const slot of slots) {
    if (random.next() < 0.1) board.fail(slot, 1 + below(random, 7));
    else board.succeed(slot, below(random, 5));
    board.requestsAt.set(slot, random.next() < 0.5 ? 0 : below(random, 3));
    board.tunnelsAt.set(slot, random.next() < 0.8 ? 0 : below(random, 50));
  }
}

function operate(registry: BackendRegistry, random: Random): void {
  const here = registry.status();
  if (here.length === 0) return;
  const { id } = here[below(random, here.length)]!;
  const orders = [
    () => registry.drain('web', id, below(random, 20_000)),
    () => registry.undrain('web', id),
    () => registry.undrain('web', id),
    () => registry.maintenance('web', id),
    () => registry.setWeight('web', id, below(random, 4)),
    () => registry.setWeight('web', id, null),
  ];
  orders[below(random, orders.length)]!();
}

const someCluster = (random: Random) =>
  Cluster.parse({
    backends: IDS.filter(() => random.next() < 0.7).map((id, index) => ({
      id,
      url: `http://127.0.0.1:${1 + index + (random.next() < 0.1 ? 100 : 0)}`,
    })),
    outlier: { base_ejection: '2s', max_ejection: '20s' },
    balance: { slow_start: '5s' },
  });

t.test('invariants hold through churn, failures, orders and restarts', async t => {
  for (const seed of [1, 2, 3, 4]) {
    const random = seededRandom(seed);
    const clock = new FakeClock();
    const board = new FakeBoard();
    const stateDir = mkdtempSync(join(tmpdir(), 'leaseway-simulation-'));
    const settings = {
      board,
      clock,
      random,
      log: silentLog,
      stateDir,
      maxBackends: MAX_BACKENDS,
      writer: 'one',
    };
    const watch = new Watch();
    let config = someCluster(random);
    let registry = createRegistry(settings);
    await registry.configure({ web: config });
    for (let step = 0; step < STEPS; step++) {
      const chance = random.next();
      if (chance < 0.08) {
        config = someCluster(random);
        await registry.configure({ web: config });
      } else if (chance < 0.11) {
        // The control thread dies; only what was told to workers must be remembered.
        registry.entries();
        const successor = createRegistry(settings);
        await successor.configure({ web: config });
        await registry[Symbol.asyncDispose]();
        registry = successor;
      } else if (chance < 0.25) operate(registry, random);
      traffic(board, [...board.published.keys()], random);
      await clock.pass(250);
      const decisions = registry.tick();
      board.publish(decisions);
      registry.entries();
      registry.tunnelsToEnd(() => 0);
      watch.look(registry, decisions, step);
    }
    t.same(watch.wrong, [], `seed ${seed}`);
    await registry[Symbol.asyncDispose]();
    await settle();
    t.equal(clock.pending, 0, 'nothing is left running');
  }
});
