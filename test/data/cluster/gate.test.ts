import t from 'tap';
import { silentLog } from '../../../lib/core/log.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { Cluster } from '../../../lib/data/cluster/cluster.ts';
import type { Member } from '../../../lib/data/cluster/member.ts';
import { attachControl, attachWorker } from '../../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../../lib/scoreboard/layout.ts';
import { BackendState, PLAIN_LEASES } from '../../../lib/scoreboard/ports.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { backendEntry, clusterEntry } from '../../support/upstreams.ts';

const IDS = ['a', 'b', 'c'];

function setUp(onNone: 'least_loaded' | 'queue' | 'shed' = 'least_loaded') {
  const clock = new FakeClock();
  const board = createScoreboard({ workers: 1, slots: 4, tokenBuckets: 64, clientCells: 64 });
  const control = attachControl(board, clock);
  const { decisions, ledger } = attachWorker(board, 0, clock);
  const backends = IDS.map((id, slot) => ({ ...backendEntry(`http://127.0.0.1:${slot + 1}`), id, slot }));
  const whole = clusterEntry();
  const overload = { ...whole.config.overload, on_none: onNone };
  const entry = { ...whole, config: { ...whole.config, overload } };
  const cluster = new Cluster(
    { ...entry, backends },
    { clock, random: seededRandom(1), log: silentLog, decisions, ledger, workers: 1 },
  );
  const publish = (
    gated: readonly string[],
    down: readonly string[] = [],
    lastResort: readonly string[] = [],
    outside: readonly string[] = [],
  ): void => {
    control.publish(
      new Map(
        IDS.map((id, slot) => [
          slot,
          {
            state: down.includes(id) ? BackendState.down : BackendState.up,
            milliWeight: 1000,
            concurrency: 0,
            slotGeneration: 1,
            milliPredicted: 500,
            gate: gated.includes(id) ? 2 : lastResort.includes(id) ? 1 : 0,
            ...PLAIN_LEASES,
            outside: outside.includes(id) ? 1 : 0,
          },
        ]),
      ),
    );
    control.heartbeat();
  };
  /** Who is chosen in fifty picks when the caller vetoes `refused`. */
  const chosen = (refused: readonly string[] = []): string => {
    const accepts = (slot: number): boolean => !refused.includes(IDS[slot]!);
    const found = new Set<string>();
    for (let i = 0; i < 50; i++) found.add(cluster.pick({ key: i, accepts })?.id ?? 'none');
    return [...found].sort().join();
  };
  return { clock, cluster, publish, chosen };
}

t.test('new work avoids a gated backend and finds it again when the gate lifts', async t => {
  const { publish, chosen } = setUp();
  publish([]);
  t.equal(chosen(), 'a,b,c');
  publish(['b']);
  t.equal(chosen(), 'a,c');
  publish([]);
  t.equal(chosen(), 'a,b,c');
});

t.test('a gated backend serves when the others refuse, and all serve when all are gated', async t => {
  const { cluster, publish, chosen } = setUp();
  publish(['b']);
  t.equal(chosen(['a', 'c']), 'b');
  t.equal(chosen(['a', 'b', 'c']), 'none');
  const offered: string[] = [];
  cluster.findPlace((member: Member) => {
    offered.push(member.id);
    return false;
  });
  t.equal(offered.length, 3);
  t.equal(offered.at(-1), 'b', 'the gated one is asked last');
  publish(['a', 'b', 'c']);
  t.equal(chosen(), 'a,b,c');
  t.equal(cluster.hasCandidates, true);
});

t.test('with on_none: queue or shed a gated backend does not serve in place of the others', async t => {
  for (const onNone of ['queue', 'shed'] as const) {
    const { cluster, publish, chosen } = setUp(onNone);
    publish(['b']);
    t.equal(chosen(), 'a,c');
    t.equal(chosen(['a', 'c']), 'none');
    const offered = new Set<string>();
    cluster.findPlace((member: Member) => {
      offered.add(member.id);
      return false;
    });
    t.same([...offered].sort(), ['a', 'c']);
    t.equal(cluster.hasCandidates, true, 'there is something to wait for');
    publish(['b', 'a'], [], ['c']);
    t.equal(chosen(), 'c', 'the least gated serve when none is open');
    publish(['a', 'b', 'c']);
    t.equal(chosen(), 'a,b,c', 'and all when all are gated alike');
  }
});

t.test('who is outside the pool serves when nobody inside can, before any who is gated', async t => {
  for (const onNone of ['queue', 'least_loaded'] as const) {
    const { clock, cluster, publish, chosen } = setUp(onNone);
    publish([], [], [], ['b', 'c']);
    t.equal(chosen(), 'a');
    t.equal(chosen(['a']), 'b,c', 'a full pool is no reason to wait');
    const offered: string[] = [];
    cluster.findPlace((member: Member) => {
      offered.push(member.id);
      return false;
    });
    t.same([...offered].sort(), ['a', 'b', 'c']);
    publish(['a'], [], [], ['b']);
    t.equal(chosen(), 'c');
    t.equal(chosen(['c']), 'b', 'the gate counts for more than the pool');
    t.match(cluster.explain({ key: 0, accepts: () => true }).rule, /others are gated or outside the pool$/);
    publish(['a'], ['c'], [], ['b']);
    t.equal(chosen(), 'b', 'and health for more than both');
    publish([], [], [], ['b', 'c']);
    await clock.pass(2_100);
    t.equal(chosen(), 'a,b,c', 'it ends with the control plane that could enlarge it');
  }
});

t.test('a last resort comes before one that is shut', async t => {
  const { publish, chosen } = setUp();
  publish(['b'], [], ['c']);
  t.equal(chosen(), 'a');
  publish(['b'], ['a'], ['c']);
  t.equal(chosen(), 'c');
  t.equal(chosen(['c']), 'b');
});

t.test('a gated backend that goes down serves nobody', async t => {
  const { publish, chosen } = setUp();
  publish(['b']);
  t.equal(chosen(['a', 'c']), 'b');
  publish(['b'], ['b']);
  t.equal(chosen(['a', 'c']), 'none');
  publish(['b'], ['a', 'c']);
  t.equal(chosen(), 'b', 'health counts for more than the gate');
});

t.test('the gate ends with the control plane that could lift it', async t => {
  const { clock, publish, chosen } = setUp();
  publish(['b']);
  await clock.pass(1_900);
  t.equal(chosen(), 'a,c');
  await clock.pass(200);
  t.equal(chosen(), 'a,b,c');
  publish(['b', 'c']);
  t.equal(chosen(), 'a');
});
