// The watchdog by a clock of its own: who is ended, and above all who is not.

import t from 'tap';
import { Watchdog } from '../../lib/supervise/watchdog.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A thread that last beat at `beatMs`. */
function stage() {
  const clock = new FakeClock();
  const dog = new Watchdog<string>(clock);
  const thread = { beatMs: Number.NEGATIVE_INFINITY };
  const born = (name: string): void => dog.born(name, () => clock.monotonicMs() - thread.beatMs);
  return { clock, dog, thread, born, beat: () => (thread.beatMs = clock.monotonicMs()) };
}

t.test('a thread that falls silent is ended at the second look, once', async t => {
  const { clock, dog, born, beat } = stage();
  born('worker');
  await clock.pass(300);
  beat();
  await clock.pass(9_000);
  t.strictSame(dog.look(), []);
  await clock.pass(1_500);
  t.strictSame(dog.look(), [], 'suspected');
  await clock.pass(1_000);
  t.strictSame(dog.look(), ['worker']);
  await clock.pass(1_000);
  t.strictSame(dog.look(), []);
});

t.test('a process that stood still suspects everyone and ends nobody', async t => {
  const { clock, dog, born, beat } = stage();
  born('worker');
  await clock.pass(300);
  beat();
  await clock.pass(3_600_000);
  t.strictSame(dog.look(), []);
  beat();
  await clock.pass(1_000);
  t.strictSame(dog.look(), []);
});

t.test('a successor is not blamed for the beat its predecessor missed, but has to begin in time', async t => {
  const { clock, dog, born, beat } = stage();
  beat();
  await clock.pass(60_000);
  born('control');
  for (let i = 0; i < 29; i++) {
    t.strictSame(dog.look(), []);
    await clock.pass(1_000);
  }
  await clock.pass(1_000);
  dog.look();
  t.strictSame(dog.look(), ['control']);
});

t.test('a thread that is gone is not looked at', async t => {
  const { clock, dog, born } = stage();
  born('worker');
  dog.gone('worker');
  await clock.pass(100_000);
  dog.look();
  t.strictSame(dog.look(), []);
});
