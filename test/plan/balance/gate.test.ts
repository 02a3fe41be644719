// The gate shuts on what is foreseen, opens later than it shuts, never shuts too many, and nobody for lack of signs.

import t from 'tap';
import { Gate, type Signs, Standing } from '../../../lib/plan/balance/gate.ts';
import { Watermark } from '../../../lib/plan/balance/watermark.ts';

const NOTHING: Signs = {
  capacity: Number.NaN,
  load: Number.NaN,
  meanLoad: Number.NaN,
  memory: Number.NaN,
  memoryAgeMs: 0,
  oldestMs: 0,
  usualMs: Number.NaN,
};
const judged = (gate: Gate, slot: number, signs: Partial<Signs>, nowMs = 0) => {
  gate.judge(slot, { ...NOTHING, ...signs }, nowMs);
  return [gate.standing(slot), gate.reason(slot)];
};

t.test('nothing known shuts nobody', async t => {
  t.same(judged(new Gate(1), 0, {}), [Standing.open, null]);
});

t.test('a collapse of capacity shuts, and a recovery well above it opens', async t => {
  const gate = new Gate(1);
  t.same(judged(gate, 0, { capacity: 0.31 }), [Standing.open, null]);
  t.same(judged(gate, 0, { capacity: 0.29 }), [Standing.shut, 'capacity']);
  t.same(judged(gate, 0, { capacity: 0.45 }), [Standing.shut, 'capacity']);
  t.same(judged(gate, 0, { capacity: 0.55 }), [Standing.open, null]);
});

t.test('load counts against the cluster’s: at a high mean a fixed limit would shut all', async t => {
  const gate = new Gate(1);
  t.same(judged(gate, 0, { load: 0.75, meanLoad: 0.4 }), [Standing.shut, 'load']);
  t.same(judged(gate, 0, { load: 0.66, meanLoad: 0.4 }), [Standing.shut, 'load']);
  t.same(judged(gate, 0, { load: 0.64, meanLoad: 0.4 }), [Standing.open, null]);
  t.same(judged(gate, 0, { load: 1.05, meanLoad: 0.9 }), [Standing.open, null]);
});

t.test('a stuck request makes a last resort; slow backends are granted their time', async t => {
  const gate = new Gate(1);
  t.same(judged(gate, 0, { oldestMs: 200, usualMs: 20 }), [Standing.lastResort, 'stall']);
  t.same(judged(gate, 0, { oldestMs: 200, usualMs: 100 }), [Standing.open, null]);
  t.same(judged(gate, 0, { oldestMs: 200 }), [Standing.lastResort, 'stall']);
});

t.test('half stay: the least certain are opened to a last resort', async t => {
  const gate = new Gate(4);
  judged(gate, 0, { capacity: 0.1 });
  judged(gate, 1, { load: 0.9 });
  judged(gate, 2, { capacity: 0 });
  judged(gate, 3, { capacity: 0.2 });
  gate.settle([0, 1, 2, 3]);
  t.same(
    [0, 1, 2, 3].map(slot => gate.standing(slot)),
    [Standing.shut, Standing.lastResort, Standing.shut, Standing.lastResort],
  );
});

t.test('too much load shuts only while the open ones can bear the work', async t => {
  const gate = new Gate(4);
  const standings = (most: number) => {
    judged(gate, 0, { load: 0.9 });
    judged(gate, 1, { load: 0.8 });
    judged(gate, 2, { capacity: 0 });
    judged(gate, 3, {});
    gate.settle([0, 1, 2, 3], open => open.length >= most);
    return [0, 1, 2, 3].map(slot => gate.standing(slot));
  };
  const { open, shut, lastResort } = Standing;
  t.same(standings(1), [shut, lastResort, shut, open]);
  t.same(standings(2), [shut, open, shut, open], 'the least certain first, and a last resort takes no work');
  t.same(standings(4), [open, open, shut, open], 'who has collapsed stays shut');
  t.equal(gate.reason(0), null);
});

t.test('who nears a pause takes work where the others cannot bear it', async t => {
  const gate = new Gate(4);
  let nowMs = 0;
  for (let second = 0; second < 48; second++) {
    nowMs += 1_000;
    const paused = second > 0 && second % 12 === 0;
    judged(gate, 0, { memory: 0.2 + 0.05 * (second % 12), capacity: paused ? 0 : 1 }, nowMs);
  }
  judged(gate, 1, { capacity: 0 });
  judged(gate, 2, {});
  judged(gate, 3, {});
  t.same([gate.standing(0), gate.reason(0)], [Standing.shut, 'memory']);
  gate.settle([0, 1, 2, 3], open => open.length >= 2);
  t.equal(gate.standing(0), Standing.shut, 'two can');
  gate.settle([0, 1, 2, 3], open => open.length >= 3);
  t.same(
    [0, 1].map(slot => gate.standing(slot)),
    [Standing.open, Standing.shut],
    'they cannot; who has collapsed would be no help',
  );
});

t.test('a slot given to another backend is open', async t => {
  const gate = new Gate(1);
  judged(gate, 0, { capacity: 0 });
  gate.forget(0);
  t.equal(gate.standing(0), Standing.open);
});

/** A sawtooth from 0.2 to 0.8 in 12 s, sampled each second; `pauses` tells the gate so. */
function teeth(mark: Watermark, count: number, pauses: boolean): number {
  let nowMs = 0;
  for (let tooth = 0; tooth < count; tooth++)
    for (let second = 0; second < 12; second++) {
      nowMs += 1_000;
      if (second === 0 && tooth > 0 && pauses) mark.paused(nowMs);
      mark.sample(0.2 + 0.05 * second, nowMs);
    }
  return nowMs;
}

t.test('the level that pauses is learnt from pauses', async t => {
  const mark = new Watermark();
  let nowMs = teeth(mark, 4, true);
  t.ok(mark.near(nowMs, 1_000), 'at 0.75 it is near');
  const climb = (from: number, to: number) => {
    for (let second = from; second < to; second++) {
      nowMs += 1_000;
      mark.sample(0.2 + 0.05 * second, nowMs);
    }
  };
  climb(0, 6);
  t.notOk(mark.near(nowMs, 1_000), 'half-way it is not');
  climb(6, 12);
  t.ok(mark.near(nowMs, 1_000));
  t.notOk(mark.near(nowMs + 9_000, 1_000), 'what does not come is not waited for');
});

t.test('collections that pause nobody shut nobody', async t => {
  const mark = new Watermark();
  const nowMs = teeth(mark, 6, false);
  t.notOk(mark.near(nowMs, 1_000));
});
