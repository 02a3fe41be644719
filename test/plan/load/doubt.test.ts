// Whom to believe when a backend and what is seen of it say different things.

import t from 'tap';
import { isShare, ReportCheck } from '../../../lib/plan/load/doubt.ts';
import type { Second } from '../../../lib/plan/load/seconds.ts';
import {
  type BackendSignals,
  NO_SIGNALS,
  type Reading,
  type SignalSource,
} from '../../../lib/plan/load/signals.ts';

const USUAL = { inFlight: 4, latencyMs: 20 };
/** Both are over 2.5 × usual. */
const FLOODED = { inFlight: 16, latencyMs: 80 };
const UNASKED = { inFlight: 0, latencyMs: Number.NaN };

class Checked {
  readonly check = new ReportCheck();
  nowMs = 0;
  source: SignalSource = 'orca';
  /** Between two questions. */
  everyMs?: number;
  /** Left of the usual. */
  capacity = 1;

  get doubt(): string {
    return this.check.doubt;
  }

  /** Seconds in which it is seen so and reports these values; a report of undefined is the last one, growing old. */
  run(seconds: number, seen: Pick<Second, 'inFlight' | 'latencyMs'>, says?: Partial<Record<string, number>>) {
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1000;
      if (says !== undefined) this.#signals = this.#reported(says);
      this.check.check(this.#second(seen), this.#signals, this.capacity);
    }
    return this.doubt;
  }

  #signals: BackendSignals = NO_SIGNALS;

  #reported(says: Partial<Record<string, number>>): BackendSignals {
    const reading = (value: number): Reading => ({
      ...{ value, atMs: this.nowMs, source: this.source },
      ...(this.everyMs !== undefined && { everyMs: this.everyMs }),
    });
    const readings = Object.entries(says).map(([kind, value]) => [kind, reading(value!)]);
    return { ...this.#signals, ...Object.fromEntries(readings) };
  }

  #second(seen: Pick<Second, 'inFlight' | 'latencyMs'>): Second {
    const rate = Number.isNaN(seen.latencyMs) ? 0 : (1000 * seen.inFlight) / seen.latencyMs;
    return {
      ...{ atMs: this.nowMs, requestsPerSecond: rate, answersPerSecond: rate, errorsPerSecond: 0 },
      ...{ connections: 1, bytesInPerSecond: 0, bytesOutPerSecond: 0, ...seen },
    };
  }
}

const settled = (
  says: Partial<Record<string, number>> = { cpu: 0.2 },
  source: SignalSource = 'orca',
): Checked => {
  const checked = new Checked();
  checked.source = source;
  checked.run(60, USUAL, says);
  return checked;
};

t.test('calm reports of a flooded backend are doubted after three seconds', async t => {
  const checked = settled();
  t.equal(checked.run(2, FLOODED, { cpu: 0.2 }), 'none', 'two odd seconds are chance');
  t.equal(checked.run(1, FLOODED, { cpu: 0.2 }), 'contradicts');
});

t.test('doubt is withdrawn after ten seconds that agree, in a row, and no sooner', async t => {
  const checked = settled();
  checked.run(3, FLOODED, { cpu: 0.2 });
  t.equal(checked.run(9, USUAL, { cpu: 0.2 }), 'contradicts', 'nine are too few');
  t.equal(checked.run(1, FLOODED, { cpu: 0.2 }), 'contradicts');
  t.equal(checked.run(9, USUAL, { cpu: 0.2 }), 'contradicts', 'it is counted anew');
  t.equal(checked.run(1, USUAL, { cpu: 0.2 }), 'none');
  t.equal(checked.run(2, FLOODED, { cpu: 0.2 }), 'none', 'and it takes three seconds again');
  t.equal(checked.run(1, FLOODED, { cpu: 0.2 }), 'contradicts');
});

t.test('a lie does not become usual within minutes', async t => {
  const checked = settled();
  t.equal(checked.run(90, FLOODED, { cpu: 0.2 }), 'contradicts');
});

t.test('who has lost its capacity and says that it is calm is doubted, though work has left it', async t => {
  const checked = settled();
  checked.capacity = 0.3;
  t.equal(checked.run(2, { inFlight: 2, latencyMs: 800 }, { cpu: 0.2 }), 'none');
  t.equal(checked.run(1, UNASKED, { cpu: 0.2 }), 'contradicts');
  checked.capacity = 0.6;
  t.equal(checked.run(20, UNASKED, { cpu: 0.2 }), 'contradicts', 'unasked it proves nothing');
  t.equal(checked.run(10, USUAL, { cpu: 0.2 }), 'none');
  const honest = settled();
  honest.capacity = 0.3;
  t.equal(honest.run(10, UNASKED, { cpu: 0.9 }), 'none');
});

t.test('who says that it is flooded is believed for as long as it is', async t => {
  const honest = settled();
  const doubts = Array.from({ length: 1_800 }, () =>
    honest.run(1, { inFlight: 40, latencyMs: 200 }, { cpu: 0.45 }),
  );
  t.same([...new Set(doubts)], ['none']);
});

t.test('silence is no way out of doubt', async t => {
  const checked = settled();
  checked.run(3, FLOODED, { cpu: 0.2 });
  t.equal(checked.run(11, FLOODED), 'silent');
  t.equal(checked.run(1, USUAL, { cpu: 0.2 }), 'contradicts');
  t.equal(checked.run(9, USUAL, { cpu: 0.2 }), 'none');
});

t.test('doubt needs evidence of both kinds, several requests, and a calm report', async t => {
  for (const [name, seen, says] of [
    ['latency alone', { inFlight: 4, latencyMs: 500 }, { cpu: 0.2 }],
    ['in flight alone', { inFlight: 60, latencyMs: 20 }, { cpu: 0.2 }],
    ['just below', { inFlight: 9.9, latencyMs: 80 }, { cpu: 0.2 }],
    ['it says that it is busy', FLOODED, { cpu: 0.6 }],
    ['it says so by another resource', FLOODED, { cpu: 0.2, disk: 0.9 }],
    ['it has noticed by itself', FLOODED, { cpu: 0.45 }],
  ] as const)
    t.equal(settled().run(20, seen, says), 'none', name);
  t.equal(settled({ cpu: 0.55 }).run(20, FLOODED, { cpu: 0.55 }), 'none', 'as busy as ever is not calm');
  const idle = new Checked();
  idle.run(60, { inFlight: 0.1, latencyMs: 20 }, { cpu: 0.2 });
  t.equal(idle.run(20, { inFlight: 2.9, latencyMs: 80 }, { cpu: 0.2 }), 'none', 'fewer than three in flight');
  const fresh = new Checked();
  fresh.run(20, USUAL, { cpu: 0.2 });
  t.equal(fresh.run(5, FLOODED, { cpu: 0.2 }), 'none', 'nothing is usual yet');
});

t.test('full memory is no claim to be busy', async t => {
  const checked = settled({ memory: 0.99 });
  t.equal(checked.run(3, FLOODED, { memory: 0.99 }), 'contradicts');
});

t.test('seconds without answers speak neither for it nor against', async t => {
  const checked = settled();
  checked.run(2, FLOODED, { cpu: 0.2 });
  t.equal(checked.run(20, UNASKED, { cpu: 0.2 }), 'none');
  t.equal(checked.run(1, FLOODED, { cpu: 0.2 }), 'contradicts');
  t.equal(checked.run(60, UNASKED, { cpu: 0.2 }), 'contradicts');
});

t.test('what is no share is absurd, for ten seconds, and the rest still counts', async t => {
  for (const value of [Number.NaN, -0.1, 8.01, Number.POSITIVE_INFINITY]) {
    const checked = settled();
    t.equal(checked.run(1, USUAL, { disk: value, cpu: 0.2 }), 'absurd', `${value}`);
    checked.run(1, USUAL, { disk: 0.1 });
    t.equal(checked.run(8, USUAL, { cpu: 0.2 }), 'absurd');
    t.equal(checked.run(1, USUAL, { cpu: 0.2 }), 'none');
    t.equal(checked.run(3, FLOODED, { disk: value, cpu: 0.2 }), 'contradicts', 'which weighs more');
  }
  t.same([0, 1, 8, -0.001, 8.001, Number.NaN].map(isShare), [true, true, true, false, false, false]);
});

t.test('who used to report and does not is silent; who never did is not', async t => {
  const checked = new Checked();
  t.equal(checked.run(60, USUAL), 'none', 'never reported');
  checked.run(1, USUAL, { cpu: 0.2 });
  t.equal(checked.run(10, USUAL), 'none', 'its word is ten seconds old');
  t.equal(checked.run(1, USUAL), 'silent');
  t.equal(checked.run(1, USUAL, { cpu: 0.2 }), 'none');
});

t.test('who reports with its answers is not silent while nobody asks it', async t => {
  const unasked = settled();
  t.equal(unasked.run(30, UNASKED), 'none');
  t.equal(unasked.run(1, USUAL), 'silent', 'it answered, and said nothing');
});

t.test('silence and nonsense end when it reports again, though nobody asks anything of it', async t => {
  const silent = settled({ cpu: 0.2 }, 'scrape');
  t.equal(silent.run(11, UNASKED), 'silent');
  t.equal(silent.run(1, UNASKED, { cpu: 0.2 }), 'none');
  t.equal(silent.run(1, UNASKED, { cpu: 0.2, disk: -1 }), 'absurd');
  t.equal(silent.run(11, UNASKED, { cpu: 0.2, disk: 0.1 }), 'none');
});

t.test('who is asked once in half a minute is silent when two answers are missing, not before', async t => {
  const seldom = new Checked();
  seldom.source = 'scrape';
  seldom.everyMs = 30_000;
  t.equal(seldom.run(1, USUAL, { cpu: 0.2 }), 'none');
  t.equal(seldom.run(75, USUAL), 'none', 'one was lost');
  t.equal(seldom.run(1, USUAL), 'silent');
  t.equal(seldom.run(1, USUAL, { cpu: -1 }), 'absurd');
  t.equal(seldom.run(70, USUAL), 'absurd', 'for as long as it counts');
});
