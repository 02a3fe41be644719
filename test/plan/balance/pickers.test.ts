import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { ExplainingPicker } from '../../../lib/plan/balance/picker.ts';
import { type Policy, pickerFactory } from '../../../lib/plan/balance/pickers.ts';
import { indexOf, request, same, slotOf, World } from './world.ts';

const POLICIES: readonly Policy[] = [
  'round_robin',
  'random',
  'least_request',
  'p2c',
  'peak_ewma',
  'consistent_hash',
  'maglev',
];
const build = (policy: Policy, world: World): ExplainingPicker =>
  pickerFactory({ policy, hash: { bound: 1.25 }, maglev: { table: 65_537 } })(
    world.candidates,
    world,
    world.random,
  );

/** Picks per candidate, nothing staying in flight. */
function shares(picker: ExplainingPicker, count: number, picks: number, one = request()): number[] {
  const counts = new Array<number>(count).fill(0);
  for (let i = 0; i < picks; i++) counts[indexOf(picker.pick(one))]! += 1;
  return counts.map(picked => picked / picks);
}

for (const policy of POLICIES)
  t.test(`${policy} keeps the rules of every policy`, async t => {
    t.equal(build(policy, new World([])).pick(request()), -1, 'nobody there');
    const alone = build(policy, new World([3]));
    t.equal(alone.pick(request(9)), slotOf(0));
    t.equal(alone.pick(request(9, () => false)), -1, 'vetoed');
    for (const count of [2, 5, 40, 500]) {
      const world = new World(same(count));
      const picker = build(policy, world);
      for (let i = 0; i < world.loads.length; i++) world.loads[i] = (i * 7) % 5;
      for (let only = 0; only < Math.min(count, 40); only++) {
        const slot = picker.pick(request(only, slot => slot === slotOf(only)));
        if (slot !== slotOf(only)) t.fail(`${count} candidates: only ${slotOf(only)} accepted, got ${slot}`);
      }
      t.equal(picker.pick(request(1, () => false)), -1, `${count} candidates, all vetoed`);
      for (let i = 0; i < 2000; i++) {
        const slot = picker.pick(request(i, slot => slot % 2 === 0));
        if (slot % 2 !== 0) t.fail('a vetoed candidate was picked');
      }
    }
  });

for (const policy of POLICIES)
  t.test(`${policy} says why, and explaining changes nothing`, async t => {
    t.same(build(policy, new World([])).explain(request()).standings, []);
    const alone = build(policy, new World([3])).explain(request(1));
    t.equal(alone.choice, slotOf(0), 'one candidate is no chance');
    const [asked, silent] = [1, 2].map(() => {
      const world = new World([1, 2, 1, 3]);
      for (let i = 0; i < 4; i++) world.loads[slotOf(i)] = i;
      return build(policy, world);
    }) as [ExplainingPicker, ExplainingPicker];
    for (let key = 0; key < 200; key++) {
      const one = request(key, slot => slot !== slotOf(1));
      const { rule, choice, standings } = asked.explain(one);
      if (rule === '' || standings.length !== 4) t.fail('no rule, or not all standings');
      const accepted = standings.filter(standing => standing.accepted);
      if (accepted.length !== 3) t.fail('a veto is not told');
      const picked = asked.pick(one);
      if (choice >= 0 && choice !== picked) t.fail(`${choice} was announced and ${picked} picked`);
      if (silent.pick(one) !== picked) t.fail('explaining changed a pick');
    }
  });

t.test('no policy allocates in a pick', async t => {
  for (const policy of POLICIES) {
    const worker = new Worker(new URL('./garbage-worker.ts', import.meta.url), {
      workerData: { policy, picks: 1_000_000 },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 256 },
    });
    const [bytes] = (await once(worker, 'message')) as [number];
    t.ok(bytes < 1_000_000, `${policy}: ${bytes} bytes over 1e6 picks, less than one each`);
    await worker.terminate();
  }
});

for (const policy of ['round_robin', 'random', 'p2c'] as const)
  t.test(`${policy} shares a quiet cluster by weight`, async t => {
    for (const weights of [[1, 1], [10, 1], [5, 1, 1], [0.5, 0.25, 0.001, 4], same(40, 2)]) {
      const total = weights.reduce((a, b) => a + b);
      const found = shares(build(policy, new World(weights)), weights.length, 200_000);
      for (const [i, weight] of weights.entries()) {
        const wanted = weight / total;
        const sigma = Math.sqrt((wanted * (1 - wanted)) / 200_000);
        if (Math.abs(found[i]! - wanted) > 5 * sigma + 1e-5)
          t.fail(`${weights}: candidate ${i} got ${found[i]}, not ${wanted}`);
      }
    }
  });

t.test('round_robin is smooth: no candidate is early or late by more than one turn', async t => {
  const weights = [5, 1, 1, 3];
  const picker = build('round_robin', new World(weights));
  const picked = same(4, 0);
  for (let n = 1; n <= 10_000; n++) {
    picked[indexOf(picker.pick(request()))]! += 1;
    for (const [i, weight] of weights.entries())
      if (Math.abs(picked[i]! - (n * weight) / 10) > 2)
        t.fail(`after ${n} picks candidate ${i} has ${picked[i]}`);
  }
  t.strictSame(
    picked.map(n => Math.round(n / 1000)),
    weights,
  );
});

t.test('round_robin begins anywhere, so that workers do not march in step', async t => {
  const firsts = new Set<number>();
  for (let seed = 0; seed < 100; seed++)
    firsts.add(build('round_robin', new World(same(8), seed)).pick(request()));
  t.equal(firsts.size, 8);
});

t.test('round_robin goes on over the point where its deadlines start over', async t => {
  const picker = build('round_robin', new World([0.001, 0.002]));
  const found = shares(picker, 2, 6000); // each turn is a step of 500 or 1000
  t.ok(Math.abs(found[1]! - 2 / 3) < 0.01, `${found[1]}`);
});

t.test('least_request finds the least loaded for its weight, and chooses among equals by chance', async t => {
  const world = new World([1, 2, 4]);
  const picker = build('least_request', world);
  world.loads[slotOf(0)] = 1;
  world.loads[slotOf(1)] = 2;
  world.loads[slotOf(2)] = 7;
  t.equal(picker.pick(request()), slotOf(1), '3/2 against 2/1 and 8/4');
  const even = shares(build('least_request', new World(same(4))), 4, 40_000);
  for (const share of even) t.ok(Math.abs(share - 0.25) < 0.02, `${share}`);
});

t.test('least_request among many never takes the most loaded few', async t => {
  const world = new World(same(100));
  for (let i = 0; i < 4; i++) world.loads[slotOf(i)] = 50;
  const found = shares(build('least_request', world), 100, 20_000);
  t.strictSame(found.slice(0, 4), [0, 0, 0, 0], 'a sample of five has one of the others');
});

t.test('two choices keep the fullest backend far below chance', async t => {
  const most = (policy: Policy): number => {
    const world = new World(same(1000), 5);
    const picker = build(policy, world);
    for (let ball = 0; ball < 1000; ball++) world.loads[picker.pick(request())]! += 1;
    return Math.max(...world.loads);
  };
  const [byChance, byTwo, bySample] = [most('random'), most('p2c'), most('least_request')];
  t.ok(byChance >= 5, `random: ${byChance}`);
  t.ok(byTwo <= 3, `p2c: ${byTwo} (ln ln n / ln 2 and a little)`);
  t.ok(bySample <= 2, `five choices: ${bySample}`);
});

t.test('p2c shares a busy cluster by weight', async t => {
  const world = new World([4, 2, 1, 1]);
  const picker = build('p2c', world);
  for (let i = 0; i < 800; i++) world.loads[picker.pick(request())]! += 1;
  const held = [0, 1, 2, 3].map(i => world.loads[slotOf(i)]! / 100);
  for (const [i, weight] of [4, 2, 1, 1].entries())
    t.ok(Math.abs(held[i]! - weight) < 0.1 * weight, `${held[i]} of ${weight}`);
});

t.test('peak_ewma avoids the slow, and the queue at the fast', async t => {
  const world = new World([1, 1]);
  const picker = build('peak_ewma', world);
  world.latencies[slotOf(0)] = 10;
  world.latencies[slotOf(1)] = 100;
  t.equal(picker.pick(request()), slotOf(0));
  world.loads[slotOf(0)] = 12;
  t.equal(picker.pick(request()), slotOf(1), '130 ms of queue against 100 ms');
  world.latencies[slotOf(0)] = 0;
  t.equal(picker.pick(request()), slotOf(1), 'never measured: by requests in flight');
  world.loads[slotOf(0)] = 0;
  t.ok(shares(picker, 2, 1000)[0]! > 0.4, 'idle and never measured: gets its share');
});
