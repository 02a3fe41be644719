import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { Averages } from '../../../lib/plan/forecast/averages.ts';
import { DampedHolt } from '../../../lib/plan/forecast/holt.ts';
import { LeastSquares } from '../../../lib/plan/forecast/least-squares.ts';
import { normal } from '../../../lib/sim/chance.ts';

t.test('averages begin as the plain mean and end at the level, the faster the shorter', async t => {
  const averages = new Averages(1000);
  averages.add(1);
  averages.add(3);
  t.ok(averages.values.every(value => value === 2));
  for (let i = 0; i < 30; i++) averages.add(10);
  for (let i = 1; i < averages.values.length; i++)
    t.ok(averages.values[i]! <= averages.values[i - 1]!, `${averages.values}`);
  t.ok(averages.values[0]! > 9.99);
});

t.test('Holt follows a ramp, and stops promising it some time ahead', async t => {
  const holt = new DampedHolt(1000);
  for (let i = 0; i < 200; i++) holt.add(0.1 + 0.005 * i);
  const now = 0.1 + 0.005 * 199;
  const five = holt.ahead(5) - now;
  t.ok(five > 0 && five < 0.025, `${five} in 5 s`);
  t.ok(Math.abs(holt.ahead(10_000) - holt.ahead(1000)) < 1e-6, 'the trend ends');
  t.ok(holt.ahead(10_000) - now < 0.005 * 30, 'at less than the damping span of it');
});

t.test('the regression finds the weights of a linear world, and follows when they change', async t => {
  const seed = 7;
  const random = seededRandom(seed);
  const squares = new LeastSquares([0, 0, 0], 300);
  const learn = (weights: readonly number[]): void => {
    for (let i = 0; i < 3000; i++) {
      const inputs = [normal(random), normal(random), normal(random)];
      const target = inputs.reduce((sum, x, j) => sum + x * weights[j]!, 0) + 0.05 * normal(random);
      squares.learn(inputs, 0, target, 10);
    }
    for (const [j, weight] of weights.entries())
      t.ok(Math.abs(squares.weights[j]! - weight) < 0.05, `seed ${seed}: ${squares.weights} for ${weights}`);
  };
  learn([0.5, -1, 2]);
  learn([1, 1, -0.3]);
});

t.test('an input that was silent for days neither winds up nor explodes when it comes', async t => {
  const random = seededRandom(8);
  const squares = new LeastSquares([0, 1], 100);
  for (let i = 0; i < 200_000; i++) squares.learn([normal(random), 0], 0, 0, 1);
  t.ok(Math.abs(squares.weights[1]! - 1) < 0.1, 'the silent input kept its prior');
  squares.learn([0, 1e-3], 0, 1, 1);
  t.ok(Math.abs(squares.weights[1]!) < 3, `${squares.weights}`);
});

t.test('no input, however wild, makes the weights anything but numbers', async t => {
  const random = seededRandom(9);
  const squares = new LeastSquares([0, 0, 0, 1], 500);
  const inputs = new Float64Array(4);
  for (let i = 0; i < 100_000; i++) {
    const size = 10 ** Math.floor(random.next() * 24 - 12);
    for (let j = 0; j < 4; j++) inputs[j] = j === 3 ? inputs[2]! : size * normal(random);
    squares.learn(inputs, 0, 8 * random.next(), 0.1);
    if (!squares.weights.every(Number.isFinite)) return t.fail(`step ${i}: ${squares.weights}`);
  }
  t.ok(Number.isFinite(squares.predict([1, 1, 1, 1], 0)));
});
