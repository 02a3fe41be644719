import { Worker } from 'node:worker_threads';
import t from 'tap';
import { startTrainer, type TrainerEvents } from '../../../lib/control/forecast/trainer-thread.ts';
import { type Pupil, Trainings } from '../../../lib/control/forecast/trainings.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import type { TrainingJob } from '../../../lib/orders/training.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { livedOutlook } from '../../support/outlook-past.ts';
import { until } from '../../support/until.ts';

class FakePupil implements Pupil {
  readonly cluster: string;
  dueForTraining = true;
  readonly adopted: unknown[] = [];
  good = true;

  constructor(cluster = 'web') {
    this.cluster = cluster;
  }

  past() {
    return { history: new Float32Array(8), minute: 7, network: null };
  }

  adopt(network: unknown): boolean {
    if (!this.good) return false;
    this.adopted.push(network);
    this.dueForTraining = false;
    return true;
  }
}

/** A trainer that does as the test says. */
class FakeTrainer {
  readonly job: TrainingJob;
  readonly events: TrainerEvents;
  terminated = 0;

  constructor(job: TrainingJob, events: TrainerEvents) {
    this.job = job;
    this.events = events;
  }

  done(): void {
    this.events.trained({ network: 'a network', minute: 7, rows: 5, cpuMs: 900 });
    this.events.ended('exit 0');
  }

  terminate(): void {
    this.terminated += 1;
  }
}

function setUp() {
  const trainers: FakeTrainer[] = [];
  const clock = new FakeClock();
  const log = new MemoryLog();
  const trainings = new Trainings({
    ...{ clock, log, random: seededRandom(5) },
    start: (job, events) => {
      const trainer = new FakeTrainer(job, events);
      trainers.push(trainer);
      return trainer;
    },
  });
  trainings.configure({ cpu: 0.05 });
  return { trainings, trainers, clock, log };
}

t.test('one at a time, whoever is due; what comes of it is adopted', async t => {
  const { trainings, trainers } = setUp();
  const pupils = [new FakePupil('a'), new FakePupil('b'), new FakePupil('c')];
  pupils[1]!.dueForTraining = false;
  trainings.tick(pupils);
  trainings.tick(pupils);
  t.equal(trainers.length, 1);
  t.match(trainings.report(), { state: 'training', cluster: 'a' });
  t.match(trainers[0]!.job, { minute: 7, cpu: 0.05, network: null });
  trainers[0]!.done();
  t.same(pupils[0]!.adopted, ['a network']);
  trainings.tick(pupils);
  t.equal(trainings.report().cluster, 'c');
  trainers[1]!.done();
  trainings.tick(pupils);
  t.equal(trainers.length, 2);
  t.match(trainings.report(), { state: 'idle', cluster: null, done: 2, failed: 0, cpuMs: 1800 });
});

t.test('who fails is tried again, ever later; success makes it soon again', async t => {
  const { trainings, trainers, clock, log } = setUp();
  const pupil = new FakePupil();
  const delays: number[] = [];
  for (let i = 0; i < 13; i++) {
    let waitedMs = 0;
    const before = trainers.length;
    for (; trainers.length === before; waitedMs += 1000) {
      if (waitedMs > 0) clock.advance(1000);
      trainings.tick([pupil]);
    }
    delays.push(waitedMs - 1000);
    trainers.at(-1)!.events.ended('it broke');
  }
  t.same(delays.slice(0, 4), [0, 5_000, 10_000, 20_000]);
  t.equal(Math.max(...delays), 3_600_000);
  t.match(trainings.report(), { state: 'waiting', failed: 13, failure: 'it broke' });
  t.equal(log.count('warn', 'training its network failed'), 13);
  clock.advance(3_600_000);
  trainings.tick([pupil]);
  trainers.at(-1)!.done();
  t.match(trainings.report(), { state: 'idle', failure: null });
  pupil.dueForTraining = true;
  trainings.tick([pupil]);
  pupil.good = false;
  trainers.at(-1)!.done();
  t.match(trainings.report(), { state: 'waiting', failure: /no network/ });
  clock.advance(5_000);
  t.equal(trainings.report().state, 'idle');
});

t.test('who takes too long is ended, and what it says then is not heard', async t => {
  const { trainings, trainers, clock } = setUp();
  const pupil = new FakePupil();
  trainings.tick([pupil]);
  clock.advance(399_999);
  trainings.tick([pupil]);
  t.equal(trainings.report().state, 'training');
  clock.advance(1);
  trainings.tick([pupil]);
  t.equal(trainers[0]!.terminated, 1);
  t.match(trainings.report(), { failed: 1, failure: /too long/ });
  trainers[0]!.done();
  t.same(pupil.adopted, []);
  t.equal(trainings.report().done, 0);
});

t.test('switched off, what runs is given up and nobody begins', async t => {
  const { trainings, trainers } = setUp();
  const pupil = new FakePupil();
  trainings.tick([pupil]);
  trainings.configure('off');
  t.equal(trainers[0]!.terminated, 1);
  trainers[0]!.events.ended('exit 1');
  trainings.tick([pupil]);
  t.match(trainings.report(), { state: 'off', failed: 0 });
  t.equal(trainers.length, 1);
});

t.test('a thread that hangs is ended, one that fills its memory ends alone', async t => {
  const clock = new FakeClock();
  const threads: Worker[] = [];
  const trainings = new Trainings({
    ...{ clock, log: new MemoryLog(), random: seededRandom(5) },
    start: (_, events) => {
      const thread = new Worker('for (;;);', { eval: true });
      threads.push(thread);
      thread.on('exit', code => events.ended(`exit ${code}`));
      return { terminate: () => void thread.terminate() };
    },
  });
  trainings.configure({ cpu: 1 });
  const pupil = new FakePupil();
  trainings.tick([pupil]);
  clock.advance(60_000);
  let gone = false;
  threads[0]!.on('exit', () => {
    gone = true;
  });
  trainings.tick([pupil]);
  await until('the thread is gone', () => gone);
  t.equal(trainings.report().failed, 1);

  // More rows than fit: a history that no outlook has.
  let ended = '';
  startTrainer(
    { history: new Float32Array(3_000_000).fill(0.3), minute: 3_000_000, network: null, seed: 1, cpu: 1 },
    { trained: () => {}, ended: reason => (ended = reason) },
  );
  await until('it ended', () => ended !== '', 120_000);
  t.match(ended, /memory/);
});

t.test(
  'the real thread: rows are learned, a network comes back, and it goes on from one',
  { timeout: 120_000 },
  async t => {
    // As long a past as there can be: it fits into the thread's memory.
    const outlook = livedOutlook('web', 21, Date.parse('2026-11-20T12:00:00Z'));
    t.ok(outlook.dueForTraining);
    const clock = new FakeClock();
    const log = new MemoryLog();
    const trainings = new Trainings({ ...{ clock, log, random: seededRandom(5) }, start: startTrainer });
    trainings.configure({ cpu: 1 });
    trainings.tick([outlook]);
    await until('it is trained', () => trainings.report().done === 1, 60_000);
    t.notOk(outlook.dueForTraining, 'not before there is more to learn from');
    const { network } = outlook.past();
    t.equal(network!.layers.length, 2);
    t.equal(log.count('info', 'a network was trained on'), 1);
    let result: unknown;
    startTrainer(
      { ...outlook.past(), seed: 2, cpu: 1 },
      { trained: ({ network }) => (result = network), ended: () => {} },
    );
    await until('it is trained again', () => result !== undefined, 60_000);
    t.notSame(result, network);
  },
);
