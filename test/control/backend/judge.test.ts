// Verdicts: the precedence of operators, checks, ejection and panic, and slow start.

import fc from 'fast-check';
import t from 'tap';
import { judge, type Standpoint } from '../../../lib/control/backend/judge.ts';
import { inPanic } from '../../../lib/control/backend/panic.ts';
import { SLOW_START_FLOOR, slowStartFactor } from '../../../lib/control/backend/slow-start.ts';
import { type AgentSay, NO_SAY } from '../../../lib/control/signals/agent-line.ts';

const UP: Standpoint = {
  admin: 'ready',
  health: 'up',
  checked: true,
  ejected: false,
  probation: false,
  agent: NO_SAY,
  weight: 1,
  upSinceMs: null,
};
const DOWN: Standpoint = { ...UP, health: 'down' };
const NEW: Standpoint = { ...UP, health: 'unknown' };
const RULES = { slowStartMs: undefined, panicShare: 0.5 };
const states = (views: readonly Standpoint[], panicShare = 0.5) =>
  judge(views, 0, { ...RULES, panicShare }).verdicts.map(verdict => verdict.state);

t.test('a new backend waits for its first check while others serve', async t => {
  t.same(states([UP, NEW]), ['up', 'down']);
  t.same(states([UP, NEW, NEW, NEW, NEW]), ['up', 'down', 'down', 'down', 'down'], 'a scale-out is no panic');
});

t.test('when nothing else is up, untried backends are tried', async t => {
  t.same(states([NEW, NEW]), ['up', 'up']);
  t.same(states([DOWN, NEW], 0), ['down', 'up']);
});

t.test('without checks a backend is up', async t => {
  t.same(states([{ ...NEW, checked: false }]), ['up']);
});

t.test('fewer usable than the share: health and ejection are ignored, operators are not', async t => {
  const views: Standpoint[] = [
    UP,
    DOWN,
    { ...UP, ejected: true },
    { ...UP, admin: 'maintenance' },
    { ...DOWN, admin: 'drain' },
  ];
  const { panic, usable, judged, verdicts } = judge(views, 0, RULES);
  t.ok(panic);
  t.equal(usable, 1);
  t.equal(judged, 3, 'what operators took out does not count');
  t.same(
    verdicts.map(v => v.state),
    ['up', 'up', 'up', 'maintenance', 'draining'],
  );
});

t.test('a share of 0 never panics', async t => {
  t.same(states([DOWN, DOWN], 0), ['down', 'down']);
  t.notOk(inPanic(0, 5, 0));
  t.notOk(inPanic(0, 0, 0.5), 'an empty cluster is no panic');
  t.notOk(inPanic(1, 2, 0.5), 'the share itself is enough');
});

t.test('a draining backend that fails is down, so that its leases fail over', async t => {
  t.same(states([UP, UP, { ...DOWN, admin: 'drain' }]), ['up', 'up', 'down']);
  t.same(states([UP, UP, { ...UP, admin: 'drain', ejected: true }]), ['up', 'up', 'down']);
});

t.test('slow start grows from the floor to the whole weight', async t => {
  t.equal(slowStartFactor(0, 0, 30_000), SLOW_START_FLOOR);
  t.equal(slowStartFactor(15_000, 0, 30_000), 0.5);
  t.equal(slowStartFactor(30_000, 0, 30_000), 1);
  t.equal(slowStartFactor(0, null, 30_000), 1, 'there from the start');
  t.equal(slowStartFactor(0, 0, undefined), 1, 'not configured');
});

t.test('a backend on probation takes little until it proved itself', async t => {
  const { verdicts } = judge([UP, { ...UP, weight: 4, probation: true }], 0, RULES);
  t.equal(verdicts[1]!.effectiveWeight, 0.4);
});

t.test('panic lifts ramps, which would burden the failing ones even more', async t => {
  const warm = { ...UP, upSinceMs: 0 };
  const rules = { slowStartMs: 30_000, panicShare: 0.9 };
  t.equal(judge([warm, DOWN], 0, rules).verdicts[0]!.effectiveWeight, 1);
  t.equal(judge([warm], 0, rules).verdicts[0]!.effectiveWeight, SLOW_START_FLOOR);
});

t.test('an agent gives less work, none, or takes the backend out; the others go on', async t => {
  const say = (agent: Partial<AgentSay>): Standpoint => ({ ...UP, agent: { ...NO_SAY, ...agent } });
  const rules = { slowStartMs: undefined, panicShare: 0.5 };
  const verdict = (one: Standpoint) => judge([one, UP, UP], 0, rules).verdicts[0];
  t.same(verdict(say({ share: 0.75 })), { state: 'up', effectiveWeight: 0.75 });
  t.same(verdict(say({ share: 0 })), { state: 'up', effectiveWeight: 0 });
  t.same(verdict(say({ admin: 'drain' })), { state: 'draining', effectiveWeight: 0 });
  t.same(verdict(say({ admin: 'maint' })), { state: 'maintenance', effectiveWeight: 0 });
  t.same(verdict(say({ down: true })), { state: 'down', effectiveWeight: 0 });
  t.same(verdict(say({ down: true, admin: 'drain' })), { state: 'down', effectiveWeight: 0 });
  t.same(verdict({ ...say({}), health: 'down' }), { state: 'down', effectiveWeight: 0 }, 'up is not healthy');
  t.same(verdict({ ...say({}), admin: 'drain' }), { state: 'draining', effectiveWeight: 0 }, 'nor ready');
});

t.test('agents together cannot take a cluster out: panic ignores them, and never an operator', async t => {
  const rules = { slowStartMs: undefined, panicShare: 0.5 };
  for (const agent of [{ share: 0 }, { admin: 'drain' }, { admin: 'maint' }, { down: true }] as const) {
    const bad: Standpoint = { ...UP, agent: { ...NO_SAY, ...agent } };
    const { panic, verdicts } = judge([bad, bad, { ...bad, admin: 'maintenance' }], 0, rules);
    t.ok(panic);
    t.same(
      verdicts.map(({ state, effectiveWeight }) => [state, effectiveWeight]),
      [
        ['up', 1],
        ['up', 1],
        ['maintenance', 0],
      ],
    );
  }
});

t.test(
  'whatever the numbers: operators win, weights stay within bounds, someone serves if anyone can',
  async t => {
    const standpoint = fc.record<Standpoint>({
      admin: fc.constantFrom('ready', 'drain', 'maintenance'),
      health: fc.constantFrom('unknown', 'up', 'down'),
      checked: fc.boolean(),
      ejected: fc.boolean(),
      probation: fc.boolean(),
      agent: fc.record<AgentSay>({
        share: fc.constantFrom(0, 0.5, 1),
        admin: fc.constantFrom('ready', 'drain', 'maint'),
        down: fc.boolean(),
        why: fc.constant(''),
        maxConnections: fc.constant(0),
      }),
      weight: fc.constantFrom(0, 1, 5),
      upSinceMs: fc.constantFrom(null, 0, 500),
    });
    fc.assert(
      fc.property(
        fc.array(standpoint, { maxLength: 8 }),
        fc.constantFrom(0, 0.3, 0.5, 1),
        (views, panicShare) => {
          const { verdicts } = judge(views, 1_000, { slowStartMs: 10_000, panicShare });
          for (const [index, { state, effectiveWeight }] of verdicts.entries()) {
            const view = views[index]!;
            if (view.admin !== 'ready' && (state === 'up' || effectiveWeight > 0)) return false;
            if (view.admin === 'maintenance' && state !== 'maintenance') return false;
            if (effectiveWeight < 0 || effectiveWeight > view.weight) return false;
            if (
              state === 'up' &&
              view.weight > 0 &&
              effectiveWeight < view.weight * view.agent.share * SLOW_START_FLOOR * 0.999
            )
              return false;
          }
          // Whom nobody has checked yet takes no part in panic, so its agent's word stands.
          const heeded = ({ checked, health, agent }: Standpoint): boolean =>
            checked && health === 'unknown' && agent.admin !== 'ready';
          const ready = views.some(
            view => view.admin === 'ready' && view.weight > 0 && !view.ejected && !heeded(view),
          );
          return panicShare === 0 || !ready || verdicts.some(({ state }) => state === 'up');
        },
      ),
      { numRuns: 2_000 },
    );
    t.pass('held for all');
  },
);
