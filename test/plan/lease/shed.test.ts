import t from 'tap';
import { hash32 } from '../../../lib/core/hash.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { decideSession } from '../../../lib/plan/lease/decide.ts';
import { grantLease } from '../../../lib/plan/lease/lease.ts';
import { isShed, shedTarget } from '../../../lib/plan/lease/shed.ts';

const random = seededRandom(11);
const ids = Array.from({ length: 20_000 }, () =>
  Array.from({ length: 2 }, () =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join(''),
);
const share = (shedFraction: number, shedTurn: number) =>
  ids.filter(id => isShed(id, { shedFraction, shedTurn })).length / ids.length;
const backends = ['a', 'b', 'c', 'd'].map(name => ({ name, seed: hash32(name), weight: 1 }));

t.test('a fraction of the leases leaves, and with a higher one more of them, not others', async t => {
  t.equal(share(0, 0), 0);
  t.equal(share(65_536, 0), 1);
  for (const turn of [0, 1, 77]) t.ok(Math.abs(share(6_554, turn) - 0.1) < 0.01, `${share(6_554, turn)}`);
  for (const id of ids)
    if (
      isShed(id, { shedFraction: 6_554, shedTurn: 3 }) &&
      !isShed(id, { shedFraction: 13_107, shedTurn: 3 })
    )
      t.fail('one that was to leave stays');
});

t.test('the next turn asks others', async t => {
  const both = ids.filter(id => [1, 2].every(shedTurn => isShed(id, { shedFraction: 6_554, shedTurn })));
  t.ok(Math.abs(both.length / ids.length - 0.01) < 0.005, `${both.length}`);
});

t.test('targets are shared out by weight, and fixed: who loses its target alone finds another', async t => {
  const leaving = ids.filter(id => isShed(id, { shedFraction: 13_107, shedTurn: 0 }));
  const of = (name: string) => leaving.filter(id => shedTarget(id, 0, backends)!.name === name).length;
  for (const { name } of backends)
    t.ok(Math.abs(of(name) / leaving.length - 0.25) < 0.03, `${name} ${of(name)}`);
  const heavier = [{ ...backends[0]!, weight: 3 }, ...backends.slice(1)];
  const heavy = leaving.filter(id => shedTarget(id, 0, heavier)!.name === 'a').length;
  t.ok(Math.abs(heavy / leaving.length - 0.5) < 0.04);
  for (const id of leaving) {
    const target = shedTarget(id, 0, backends)!;
    if (target.name !== 'd' && shedTarget(id, 0, backends.slice(0, 3)) !== target)
      t.fail('it changed its mind');
    if (shedTarget(id, 0, backends.toReversed()) !== target) t.fail('the order matters');
  }
  t.equal(shedTarget('x', 0, []), undefined);
});

t.test(
  'a dynamic lease in the part that leaves is moved, in term and lapsed; a static one is not',
  async t => {
    const terms = { type: 'dynamic', termMs: 60_000, rememberMs: 3_600_000 } as const;
    const place = { cluster: 'web', route: '', backend: 'a', generation: 1 };
    const view = {
      standing: 'up',
      generation: 1,
      takesNew: true,
      shedFraction: 6_554,
      shedTurn: 0,
      leaseMs: 0,
    } as const;
    const leaving = ids.find(id => isShed(id, view))!;
    const staying = ids.find(id => !isShed(id, view))!;
    const shed = { action: 'move', reason: 'shed' };
    t.match(decideSession(grantLease(leaving, place, terms, 0), view, terms, 1_000), shed);
    t.match(decideSession(grantLease(leaving, place, terms, 0), view, terms, 70_000), shed);
    t.match(decideSession(grantLease(staying, place, terms, 0), view, terms, 1_000), { action: 'keep' });
    const honoured = { ...terms, type: 'static' } as const;
    t.match(decideSession(grantLease(leaving, place, honoured, 0), view, honoured, 1_000), {
      action: 'keep',
    });
  },
);

t.test('longer terms are kept for their time, and brought back when the backend is busy', async t => {
  const terms = { type: 'dynamic', termMs: 60_000, rememberMs: 3_600_000 } as const;
  const place = { cluster: 'web', route: '', backend: 'a', generation: 1 };
  const view = { standing: 'up', generation: 1, takesNew: true, shedFraction: 0, shedTurn: 0 } as const;
  const long = grantLease(ids[0]!, place, { ...terms, termMs: 1_800_000 }, 0);
  t.match(decideSession(long, { ...view, leaseMs: 1_800_000 }, terms, 800_000), { reason: 'in_term' });
  t.match(decideSession(long, { ...view, leaseMs: 1_800_000 }, terms, 1_000_000), { reason: 'half_term' });
  t.match(decideSession(long, { ...view, leaseMs: 60_000 }, terms, 800_000), {
    action: 'renew',
    reason: 'shortened',
  });
  t.match(
    decideSession(long, { ...view, leaseMs: 900_000 }, terms, 800_000),
    { reason: 'in_term' },
    'a step is no reason',
  );
});
