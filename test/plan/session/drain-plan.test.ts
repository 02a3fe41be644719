import t from 'tap';
import { drainForecast } from '../../../lib/plan/session/drain-plan.ts';

const peers = (...loads: number[]) => loads.map((load, i) => ({ id: `b${i}`, load }));

t.test('the emptiest are filled to one level, sessions go in the same parts', async t => {
  const { shares, overloaded } = drainForecast(0.6, 60, peers(0.2, 0.4, 0.9), 0.9);
  t.same(
    shares.map(({ after, sessions }) => [after?.toFixed(2), sessions]),
    [
      ['0.60', 40],
      ['0.60', 20],
      ['0.90', 0],
    ],
  );
  t.same(overloaded, []);
});

t.test('who would be above the line is named; who was, and gets nothing, is not', async t => {
  t.same(drainForecast(0.8, 0, peers(0.6, 0.7, 1.5), 0.9).overloaded, ['b0', 'b1']);
  t.same(drainForecast(0.8, 0, peers(0.95), 0.9).overloaded, ['b0']);
});

t.test('of what nobody knows nothing is said', async t => {
  t.same(
    drainForecast(Number.NaN, 10, peers(0.2, 0.4), 0.9).shares.map(({ after }) => after),
    [0.2, 0.4],
  );
  t.same(drainForecast(0.5, 10, peers(Number.NaN), 0.9), {
    shares: [{ id: 'b0', load: null, after: null, sessions: 0 }],
    overloaded: [],
  });
  t.same(drainForecast(0.5, 10, [], 0.9), { shares: [], overloaded: [] });
});
