import fc from 'fast-check';
import t from 'tap';
import { type BackendStanding, type BackendView, decideSession } from '../../../lib/plan/lease/decide.ts';
import { grantLease, type LeaseTerms, type LeaseType } from '../../../lib/plan/lease/lease.ts';

const NOW = 1_800_000_000_000;
const terms: LeaseTerms = { type: 'dynamic', termMs: 60_000, rememberMs: 3_600_000 };
const placement = { cluster: 'web', route: '', backend: 'b1', generation: 5 };
const leaseOf = (type: LeaseType, ageMs: number, generation = 5) =>
  grantLease('00112233445566aa', { ...placement, generation }, { ...terms, type }, NOW - ageMs);
const backend = (standing: BackendStanding, takesNew = true, generation = 5): BackendView => ({
  standing,
  takesNew,
  generation,
  ...{ shedFraction: 0, shedTurn: 0, leaseMs: 0 },
});

const FRESH = 10_000;
const OLD = 40_000;
const LAPSED = 61_000;
const FORGOTTEN = 60_000 + 3_600_001;

t.test('every case of the table', async t => {
  const cases: [LeaseType, number, BackendStanding, string, string][] = [
    ['dynamic', FRESH, 'up', 'keep', 'in_term'],
    ['dynamic', OLD, 'up', 'renew', 'half_term'],
    ['dynamic', LAPSED, 'up', 'regrant', 'lapsed'],
    ['dynamic', FORGOTTEN, 'up', 'grant', 'forgotten'],
    ['static', FRESH, 'up', 'keep', 'in_term'],
    ['static', OLD, 'up', 'renew', 'half_term'],
    ['static', LAPSED, 'up', 'regrant', 'lapsed'],
    ['static', FORGOTTEN, 'up', 'grant', 'forgotten'],
    ['dynamic', FRESH, 'draining', 'keep', 'honoured'],
    ['dynamic', OLD, 'draining', 'renew', 'honoured'],
    ['dynamic', LAPSED, 'draining', 'move', 'draining'],
    ['static', FRESH, 'draining', 'keep', 'honoured'],
    ['static', OLD, 'draining', 'renew', 'honoured'],
    ['static', LAPSED, 'draining', 'move', 'draining'],
    ['static', FORGOTTEN, 'draining', 'grant', 'forgotten'],
  ];
  for (const type of ['dynamic', 'static'] as const)
    for (const age of [FRESH, OLD, LAPSED]) {
      cases.push([type, age, 'down', 'move', 'down'], [type, age, 'maintenance', 'move', 'maintenance']);
      cases.push([type, age, 'unknown', 'grant', 'unknown_backend']);
    }
  for (const [type, age, standing, action, reason] of cases)
    t.same(
      decideSession(leaseOf(type, age), backend(standing), terms, NOW),
      { action, reason },
      `${type} ${age} ${standing}`,
    );
});

t.test('a drain moves the dynamic leases whose turn has come, in term or not', async t => {
  const all = { ...backend('draining', false), shedFraction: 65_536 };
  for (const age of [FRESH, OLD])
    t.same(decideSession(leaseOf('dynamic', age), all, terms, NOW), { action: 'move', reason: 'draining' });
  t.same(decideSession(leaseOf('static', FRESH), all, terms, NOW), { action: 'keep', reason: 'honoured' });
});

t.test('no lease is a grant wherever', async t => {
  for (const standing of ['up', 'draining', 'down', 'maintenance', 'unknown'] as const)
    t.same(decideSession(null, backend(standing), terms, NOW), { action: 'grant', reason: 'new' });
});

t.test('a backend that takes nothing new keeps its leases but is not given lapsed ones', async t => {
  t.equal(decideSession(leaseOf('dynamic', FRESH), backend('up', false), terms, NOW).action, 'keep');
  t.equal(decideSession(leaseOf('dynamic', OLD), backend('up', false), terms, NOW).action, 'renew');
  t.same(decideSession(leaseOf('dynamic', LAPSED), backend('up', false), terms, NOW), {
    action: 'move',
    reason: 'gated',
  });
});

t.test('a raised generation ends a lease, a lower one of ours does not', async t => {
  const newer = backend('up', true, 6);
  t.same(decideSession(leaseOf('dynamic', FRESH), newer, terms, NOW), {
    action: 'move',
    reason: 'superseded',
  });
  t.same(decideSession(leaseOf('static', LAPSED), newer, terms, NOW), {
    action: 'move',
    reason: 'superseded',
  });
  t.equal(decideSession(leaseOf('dynamic', FRESH, 7), newer, terms, NOW).action, 'keep');
});

t.test('a static lease outlives a drain that is called off', async t => {
  // The drain raised the generation: the lease is brought up to it while it is honoured.
  t.same(decideSession(leaseOf('static', FRESH), backend('draining', false, 6), terms, NOW), {
    action: 'renew',
    reason: 'honoured',
  });
  t.equal(decideSession(leaseOf('static', FRESH, 6), backend('up', true, 6), terms, NOW).action, 'keep');
});

t.test('exactly half a term is renewed, exactly none has lapsed', async t => {
  t.equal(decideSession(leaseOf('dynamic', 29_999), backend('up'), terms, NOW).action, 'keep');
  t.equal(decideSession(leaseOf('dynamic', 30_000), backend('up'), terms, NOW).action, 'renew');
  t.equal(decideSession(leaseOf('dynamic', 59_999), backend('up'), terms, NOW).action, 'renew');
  t.equal(decideSession(leaseOf('dynamic', 60_000), backend('up'), terms, NOW).action, 'regrant');
  t.equal(decideSession(leaseOf('dynamic', 60_000 + 3_600_000), backend('up'), terms, NOW).action, 'regrant');
});

t.test('a term that was shortened, or a clock that stepped back, does not stretch a lease', async t => {
  const long = grantLease('00', placement, { ...terms, termMs: 3_600_000 }, NOW);
  t.match(decideSession(long, backend('up'), terms, NOW), { action: 'renew', reason: 'shortened' });
  t.equal(decideSession(long, backend('up'), { ...terms, rememberMs: 0 }, NOW + 3_600_001).action, 'grant');
});

t.test('a request is only ever sent to a backend that may have it', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom<LeaseType>('dynamic', 'static'),
      fc.integer({ min: -10_000, max: 4_000_000 }),
      fc.constantFrom<BackendStanding>('up', 'draining', 'down', 'maintenance', 'unknown'),
      fc.boolean(),
      fc.integer({ min: 0, max: 9 }),
      fc.constantFrom(0, 65_536),
      (type, age, standing, takesNew, generation, shedFraction) => {
        const view = { ...backend(standing, takesNew, generation), shedFraction };
        const { action } = decideSession(leaseOf(type, age), view, terms, NOW);
        const stays = action === 'keep' || action === 'renew' || action === 'regrant';
        if (!stays) return true;
        if (shedFraction > 0 && type === 'dynamic') return false;
        if (standing === 'draining') return age < 60_000;
        return standing === 'up' && generation <= 5 && (age < 60_000 || takesNew);
      },
    ),
    { numRuns: 2000 },
  );
});
