// Slots: stable for their backend, given away only when nothing is in flight there.

import t from 'tap';
import { SlotTable } from '../../../lib/control/backend/slots.ts';
import { below, seededRandom } from '../../../lib/core/random.ts';

t.test('a slot rests after its backend left and is then given away with a higher generation', async t => {
  const busy = new Set<number>();
  const slots = new SlotTable(1, slot => !busy.has(slot), 0, [], 0);
  const first = slots.take('a', 0)!;
  t.equal(slots.take('b', 0), undefined, 'full');
  busy.add(first.index);
  slots.retire('a', 0);
  t.notOk(slots.sweep(60_000), 'something is in flight');
  busy.clear();
  t.notOk(slots.sweep(1_000), 'a worker may still hold the old snapshot');
  t.ok(slots.sweep(60_000));
  const second = slots.take('b', 60_000)!;
  t.equal(second.index, first.index);
  t.ok(second.generation > first.generation);
});

t.test('a backend that returns in time has its old slot back', async t => {
  const slots = new SlotTable(4, () => true, 0, [], 0);
  const before = slots.take('a', 0)!;
  slots.retire('a', 10);
  t.match(slots.take('a', 20), { index: before.index, generation: before.generation });
  t.notOk(slots.sweep(60_000), 'it is in use again');
});

t.test('a control thread that restarts finds the slots as they were', async t => {
  const busy = new Set([1]);
  const first = new SlotTable(4, slot => !busy.has(slot), 0, [], 0);
  const a = first.take('a', 0)!;
  const b = first.take('b', 0)!;
  t.equal(b.index, 2, 'slot 1 was not idle');
  const second = new SlotTable(4, slot => !busy.has(slot), first.lastGeneration, first.held(), 0);
  t.match(second.take('b', 0), { index: b.index, generation: b.generation });
  t.notSame(second.take('c', 0)?.index, a.index, 'kept for the one that has not been found yet');
  second.sweep(60_000);
  t.notOk(
    second.held().some(slot => slot.owner === 'a'),
    'but not for ever',
  );
});

t.test('no two owners share a slot, busy slots are never given away, generations only rise', async t => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = seededRandom(seed);
    const busy = new Set<number>();
    const slots = new SlotTable(16, slot => !busy.has(slot), 0, [], 0);
    const here = new Map<string, number>();
    const lastOwner = new Map<number, { owner: string; generation: number }>();
    let sound = true;
    for (let nowMs = 0; nowMs < 200_000; nowMs += 100) {
      const owner = `b${below(random, 30)}`;
      if (random.next() < 0.3) busy.add(below(random, 16));
      if (random.next() < 0.3) busy.delete(below(random, 16));
      if (here.has(owner)) {
        slots.retire(owner, nowMs);
        here.delete(owner);
      } else {
        const slot = slots.take(owner, nowMs);
        if (slot !== undefined) {
          const last = lastOwner.get(slot.index);
          if ([...here.values()].includes(slot.index)) sound = false;
          if (last !== undefined && last.owner !== owner) {
            if (busy.has(slot.index) || slot.generation <= last.generation) sound = false;
          }
          lastOwner.set(slot.index, { owner, generation: slot.generation });
          here.set(owner, slot.index);
        }
      }
      slots.sweep(nowMs);
    }
    t.ok(sound, `seed ${seed}`);
  }
});
