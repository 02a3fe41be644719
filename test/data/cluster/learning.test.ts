// What a worker learns of its backends, and how long it remembers: over snapshots, owners of slots, and policies.

import t from 'tap';
import { silentLog } from '../../../lib/core/log.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { Cluster } from '../../../lib/data/cluster/cluster.ts';
import { attachControl, attachWorker } from '../../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../../lib/scoreboard/layout.ts';
import { BackendState, NO_FORECAST, Outcome, PLAIN_LEASES } from '../../../lib/scoreboard/ports.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { backendEntry, clusterEntry } from '../../support/upstreams.ts';

const SLOTS = 64;

interface Backend {
  readonly id: string;
  readonly slot: number;
  readonly slotGeneration?: number;
  readonly milliWeight?: number;
}

function setUp() {
  const clock = new FakeClock();
  const board = createScoreboard({ workers: 1, slots: SLOTS, tokenBuckets: 64, clientCells: 64 });
  const control = attachControl(board, clock);
  const { decisions, ledger } = attachWorker(board, 0, clock);
  const entry = (backends: readonly Backend[], config: Record<string, unknown>) => ({
    ...clusterEntry(config),
    backends: backends.map(({ id, slot, slotGeneration = 1 }) => ({
      ...backendEntry(`http://127.0.0.1:${slot + 1}`),
      ...{ id, slot, slotGeneration },
    })),
  });
  const cluster = new Cluster(entry([], {}), {
    ...{ clock, random: seededRandom(1), log: silentLog, decisions, ledger, workers: 1 },
  });
  /** Snapshot and decisions, as the control plane sends both. */
  const use = (backends: readonly Backend[], config: Record<string, unknown> = {}): void => {
    cluster.update(entry(backends, config));
    control.publish(
      new Map(
        backends.map(({ slot, slotGeneration = 1, milliWeight = 1000 }) => [
          slot,
          {
            ...{ state: BackendState.up, milliWeight, concurrency: 0, slotGeneration },
            ...NO_FORECAST,
            ...PLAIN_LEASES,
          },
        ]),
      ),
    );
    control.heartbeat();
  };
  const begin = (id: string) => {
    const member = cluster.member(id)!;
    const { seat, slot } = member;
    ledger.begin(slot);
    seat?.started();
    return (tookMs: number, ending: 'success' | 'failure' = 'success'): void => {
      ledger.settle(slot, ending === 'success' ? Outcome.success : Outcome.failure, tookMs);
      seat?.finished(ending, tookMs);
    };
  };
  /** Two seconds of requests, one at a time at each. */
  const teach = async (times: Readonly<Record<string, number>>): Promise<void> => {
    for (const [id, tookMs] of Object.entries(times))
      for (let passedMs = 0; passedMs < 2_000; passedMs += tookMs) {
        const end = begin(id);
        await clock.pass(tookMs);
        end(tookMs);
      }
    control.heartbeat();
  };
  const shares = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < 200; i++) {
      const id = cluster.pick({ key: i, accepts: () => true })!.id;
      counts[id] = (counts[id] ?? 0) + 1 / 200;
    }
    return counts;
  };
  return { cluster, use, begin, teach, shares, clock, control };
}

const TWO: readonly Backend[] = [
  { id: 'fast', slot: 40 },
  { id: 'slow', slot: 7 },
];

t.test('what was learnt outlives snapshots, weights and new neighbours', async t => {
  const { use, teach, shares } = setUp();
  use(TWO);
  t.ok((shares().slow ?? 0) > 0.3, 'nobody knows better yet');
  await teach({ fast: 20, slow: 200 });
  t.same(shares().slow, undefined);
  use(TWO, { timeouts: { head: '7s' } });
  t.same(shares().slow, undefined, 'another configuration');
  use(TWO.map(one => ({ ...one, milliWeight: 500 })));
  t.same(shares().slow, undefined, 'other weights');
  use([{ id: 'new', slot: 3 }, ...TWO]);
  t.same(shares().slow, undefined, 'a neighbour more');
  use(TWO.toReversed(), { timeouts: { connect: '9s' } });
  t.same(shares().slow, undefined, 'new connections');
});

t.test('another owner of a slot, another policy, other options: learnt anew', async t => {
  const { use, teach, shares, cluster } = setUp();
  use(TWO);
  await teach({ fast: 20, slow: 200 });
  use([TWO[0]!, { id: 'slow', slot: 7, slotGeneration: 2 }]);
  t.ok(shares().slow! > 0.2, 'as good as the others until it is known');
  await teach({ slow: 200 });
  use(TWO, { balance: { policy: 'p2c' } });
  t.equal(cluster.member('fast')!.seat, null, 'p2c learns nothing');
  t.ok(shares().slow! > 0.3);
  use(TWO, {});
  t.ok(shares().slow! > 0.3, 'and back: nothing is known');
  await teach({ fast: 20, slow: 200 });
  t.same(shares().slow, undefined);
  use(TWO, { balance: { predictive: { choices: 8 } } });
  t.ok(shares().slow! > 0.3, 'other options');
});

t.test('the late ending of one who left is not the newcomer’s', async t => {
  const { use, begin, cluster } = setUp();
  use(TWO);
  const ends = Array.from({ length: 5 }, () => begin('slow'));
  const seat = cluster.member('slow')!.seat!;
  use([TWO[0]!, { id: 'next', slot: 7, slotGeneration: 2 }]);
  t.not(cluster.member('next')!.seat!.index, seat.index, 'its seat is not free yet');
  for (const end of ends) end(30_000, 'failure');
  const { standings } = cluster.explain({ key: 0, accepts: () => true });
  const next = standings.find(({ candidate }) => candidate.id === 'next')!;
  t.equal(next.figures.failing, 0);
});

t.test('backends may come and go for ever, and become many', async t => {
  const { use, shares, teach, begin } = setUp();
  for (let round = 0; round < 100; round++) {
    use([...TWO, { id: `r${round}`, slot: 8 + (round % 20), slotGeneration: round }]);
    begin(`r${round}`)(5);
    t.equal(Object.keys(shares()).length > 0, true);
  }
  await teach({ fast: 20, slow: 200 });
  const many = Array.from({ length: 50 }, (_, i) => ({
    id: `m${i}`,
    slot: i === 7 ? 60 : i === 40 ? 61 : i,
  }));
  use([...TWO, ...many]);
  t.ok(Object.keys(shares()).length > 20, 'more than there were seats: begun anew');
});

t.test('when the control plane is silent, what was learnt is left aside and comes back with it', async t => {
  const { use, teach, shares, clock, control } = setUp();
  use(TWO);
  await teach({ fast: 20, slow: 100 });
  t.same(shares().slow, undefined);
  await clock.pass(2_100);
  t.ok(shares().slow! > 0.3, 'two drawn, none busy');
  control.heartbeat();
  t.same(shares().slow, undefined);
});
