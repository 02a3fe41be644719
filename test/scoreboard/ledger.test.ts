import t from 'tap';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import {
  BackendState,
  type Decision,
  NO_FORECAST,
  Outcome,
  PLAIN_LEASES,
  WORKER_COUNTERS,
  WORKER_GAUGES,
} from '../../lib/scoreboard/ports.ts';
import { HeartbeatReader, releaseRow } from '../../lib/scoreboard/supervise.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp(workers = 2, slots = 4) {
  const clock = new FakeClock();
  const board = createScoreboard({ workers, slots, routes: 8, tokenBuckets: 64, clientCells: 64 });
  const rows = Array.from({ length: workers }, (_, row) => attachWorker(board, row, clock));
  return { clock, board, rows, control: attachControl(board, clock) };
}

const up = (slotGeneration: number): Decision => ({
  state: BackendState.up,
  milliWeight: 1000,
  concurrency: 0,
  slotGeneration,
  ...NO_FORECAST,
  ...PLAIN_LEASES,
});

t.test('what workers do is summed over rows, by slot', async t => {
  const { rows, control } = setUp();
  rows[0]!.ledger.begin(1);
  rows[1]!.ledger.begin(1);
  rows[1]!.ledger.begin(2);
  rows[0]!.ledger.tunnel(3, 1);
  t.equal(control.inFlight(1), 2);
  t.equal(rows[0]!.decisions.inFlight(1), 2, 'workers see each other');
  t.equal(control.inFlight(0), 0);
  t.equal(control.tunnels(3), 1);
  t.strictSame(
    [0, 1, 2, 3].map(slot => control.idle(slot)),
    [true, false, false, false],
  );
  rows[0]!.ledger.settle(1, Outcome.success, 20);
  rows[1]!.ledger.settle(1, Outcome.serverError, 30);
  rows[1]!.ledger.settle(2, Outcome.cancelled, 0);
  rows[0]!.ledger.carried(1, 7, 10);
  rows[1]!.ledger.carried(1, 0, 20);
  rows[0]!.ledger.tunnel(3, -1);
  t.strictSame(
    [0, 1, 2, 3].map(slot => control.idle(slot)),
    [true, true, true, true],
  );
  t.strictSame(control.totals(1), {
    attempts: 2,
    successes: 1,
    serverErrors: 1,
    failures: 0,
    cancelled: 0,
    consecutiveFailures: 0,
    latencySumMs: 50,
    bytesIn: 7,
    bytesOut: 30,
    loadReports: 0,
    loadValuesRefused: 0,
  });
  t.equal(control.totals(2).cancelled, 1);
  const { counts, sumS } = control.backendHistogram(1);
  t.strictSame(counts.slice(0, 4), [0, 0, 1, 1], '20 ms and 30 ms in the buckets up to 25 and 50 ms');
  t.equal(counts.length, 15);
  t.equal(sumS, 0.05);
});

t.test('a backend is silent while requests wait and it answers nobody, whoever asked', async t => {
  const { clock, rows, control, board } = setUp();
  const [a, b] = rows.map(({ ledger }) => ledger);
  const now = () => clock.monotonicMs();
  const shows = (slot = 0) => [control.waiting(slot), control.silentMs(slot)];
  t.strictSame(shows(), [0, 0]);
  a!.asked(0, now());
  clock.advance(100);
  t.strictSame(shows(), [1, 100]);
  t.strictSame(shows(1), [0, 0], 'each slot for itself');
  b!.asked(0, now());
  clock.advance(200);
  t.strictSame(shows(), [2, 300], 'the one who waits longest counts');
  b!.answered(0, true, now());
  clock.advance(50);
  t.strictSame(shows(), [1, 50], 'an answer to any worker is a sign of life');
  b!.answered(0, false, now());
  t.strictSame(shows(), [1, 0], 'one that came before the end of its request too');
  clock.advance(400);
  a!.asked(0, now());
  a!.unanswered(0);
  t.strictSame(shows(), [1, 400], 'who gives up leaves no sign');
  a!.answered(0, true, now());
  clock.advance(5_000);
  t.strictSame(shows(), [0, 0], 'nobody asks, so it owes nothing');
  a!.asked(0, now());
  clock.advance(10);
  t.strictSame(shows(), [1, 10], 'and begins anew with the next');
  b!.asked(0, now());
  releaseRow(board, 0);
  clock.advance(10);
  t.strictSame(shows(), [1, 10], 'a dead worker waits for nothing');
});

t.test('failures in a row are the longest run of any living worker', async t => {
  const { rows, control, board } = setUp();
  control.publish(new Map([[0, up(7)]]));
  const fail = (row: number, outcome: 1 | 2 | 3 | 0 | 4) => {
    rows[row]!.ledger.begin(0);
    rows[row]!.ledger.settle(0, outcome, 1);
    return control.totals(0).consecutiveFailures;
  };
  t.equal(fail(0, Outcome.failure), 1);
  t.equal(fail(0, Outcome.gatewayError), 2);
  t.equal(fail(0, Outcome.cancelled), 2, 'a client that left says nothing');
  t.equal(fail(1, Outcome.success), 2, 'another worker has a run of its own');
  t.equal(fail(0, Outcome.serverError), 0, 'a 500 is an answer');
  fail(1, Outcome.failure);
  t.equal(control.totals(0).failures, 2);
  t.equal(control.totals(0).serverErrors, 2);
  releaseRow(board, 1);
  t.equal(control.totals(0).consecutiveFailures, 0, 'a dead worker’s run goes with it');
  t.equal(control.totals(0).failures, 2, 'its counts stay');
});

t.test('a new backend in a slot begins at zero; the same one goes on', async t => {
  const { rows, control } = setUp();
  control.publish(new Map([[0, up(1)]]));
  const { ledger, decisions } = rows[0]!;
  decisions.refresh();
  ledger.begin(0);
  ledger.settle(0, Outcome.failure, 0);
  ledger.begin(0);
  ledger.settle(0, Outcome.success, 40);
  ledger.begin(0);
  ledger.settle(0, Outcome.failure, 0);
  control.publish(new Map([[0, { ...up(1), milliWeight: 500 }]]));
  t.equal(control.totals(0).attempts, 3);
  t.ok(decisions.latencyMs(0) > 0);
  control.publish(new Map([[0, up(2)]]));
  t.strictSame(Object.values(control.totals(0)), new Array(11).fill(0));
  t.strictSame(control.backendHistogram(0).counts, new Array(15).fill(0));
  t.equal(decisions.refresh(), true);
  t.equal(decisions.latencyMs(0), 0, 'nothing is known of its latency');
  ledger.begin(0);
  ledger.settle(0, Outcome.failure, 0);
  t.equal(control.totals(0).consecutiveFailures, 1, 'its run begins anew too');
});

t.test('requests are counted by route and status class, whatever comes', async t => {
  const { rows, control } = setUp();
  rows[0]!.ledger.request(3, 204, 0.005, 10, 20);
  rows[1]!.ledger.request(3, 299, 12, 1, 2);
  rows[1]!.ledger.request(3, 500, 1, 0, 0);
  const good = control.requestHistogram(3, 2);
  t.equal(good.counts[0], 1, 'a bound belongs to its bucket');
  t.equal(good.counts[14], 1, 'over the last bound');
  t.equal(good.sumS, 12.005);
  t.strictSame([good.bytesIn, good.bytesOut], [11, 22]);
  t.equal(control.requestHistogram(3, 5).sumS, 1);
  rows[0]!.ledger.request(8, 200, 1, 0, 0);
  rows[0]!.ledger.request(-1, 999, 1, 0, 0);
  rows[0]!.ledger.request(99, 0, 1, 0, 0);
  t.strictSame(
    [1, 2, 5].map(c => control.requestHistogram(7, c).sumS),
    [1, 1, 1],
    'the last route takes the rest',
  );
  t.throws(() => control.requestHistogram(8, 2), RangeError);
  t.throws(() => control.requestHistogram(0, 6), RangeError);
});

t.test('gauges fall to zero with their worker, counters never fall', async t => {
  const { rows, control, board } = setUp();
  for (const name of [...WORKER_GAUGES, ...WORKER_COUNTERS]) rows[1]!.ledger.add(name, 5);
  rows[1]!.ledger.add('connections', -2);
  rows[1]!.ledger.begin(0);
  rows[1]!.ledger.tunnel(1, 1);
  rows[1]!.ledger.acquire(2, 0);
  rows[1]!.clients.enter(0, 77, 10, 10);
  t.equal(control.worker(1).connections, 3);
  t.equal(control.worker(0).connections, 0);
  releaseRow(board, 1);
  for (const name of WORKER_GAUGES) t.equal(control.worker(1)[name], 0, name);
  for (const name of WORKER_COUNTERS) t.equal(control.worker(1)[name], 5, name);
  t.ok([0, 1, 2, 3].every(slot => control.idle(slot)));
  t.equal(control.permits(2), 0);
  t.equal(control.totals(0).attempts, 1);
});

t.test('heartbeats have an age for the supervisor and for the workers', async t => {
  const { clock, board, rows, control } = setUp();
  const ages = new HeartbeatReader(board, clock);
  t.equal(ages.controlAgeMs(), Number.POSITIVE_INFINITY);
  t.equal(rows[0]!.decisions.ageMs(), Number.POSITIVE_INFINITY);
  t.equal(ages.workerAgeMs(0), 0, 'attaching is the first beat');
  control.heartbeat();
  clock.advance(1500);
  rows[0]!.ledger.heartbeat();
  clock.advance(700);
  t.equal(ages.controlAgeMs(), 2200);
  t.equal(rows[1]!.decisions.ageMs(), 2200);
  t.equal(ages.workerAgeMs(0), 700);
  t.equal(ages.workerAgeMs(1), 2200);
  releaseRow(board, 1);
  t.equal(ages.workerAgeMs(1), Number.POSITIVE_INFINITY);
});

t.test('heartbeats survive the wrap of their cell', async t => {
  const clock = new FakeClock(0, 2 ** 32 - 500);
  const board = createScoreboard({ workers: 1, slots: 1, tokenBuckets: 64, clientCells: 64 });
  const { ledger } = attachWorker(board, 0, clock);
  const ages = new HeartbeatReader(board, clock);
  clock.advance(1000);
  t.equal(ages.workerAgeMs(0), 1000);
  ledger.heartbeat();
  clock.advance(2 ** 31 + 5);
  t.equal(ages.workerAgeMs(0), 2 ** 31 + 5);
  const behind = new HeartbeatReader(board, new FakeClock(0, 2 ** 32 + 400));
  t.equal(behind.workerAgeMs(0), 0, 'a beat just after the reader looked at its clock is fresh');
});

t.test('a row that is not there is refused', async t => {
  const { board } = setUp();
  t.throws(() => attachWorker(board, 2), /row 2/);
});
