import t from 'tap';
import { LatencyBook } from '../../lib/scoreboard/latency.ts';

function measured(
  latencyMs: number,
  count: number,
  everyMs: number,
  book = new LatencyBook(2),
  fromMs = 1000,
) {
  const nowMs = fromMs + count * everyMs;
  for (let atMs = fromMs + everyMs; atMs <= nowMs; atMs += everyMs) book.succeeded(0, latencyMs, atMs);
  return { book, nowMs };
}

t.test('never measured is 0, and one slot says nothing about another', async t => {
  const { book } = measured(20, 3, 10);
  t.equal(book.costMs(1), 0);
  t.equal(book.costMs(0), 20);
});

t.test('a peak counts at once and is forgotten over some ten seconds', async t => {
  const { book, nowMs } = measured(20, 100, 10);
  book.succeeded(0, 500, nowMs + 1);
  t.equal(book.costMs(0), 500);
  measured(20, 100, 10, book, nowMs);
  t.ok(book.costMs(0) > 400, `after one second ${book.costMs(0)}`);
  measured(20, 4000, 10, book, nowMs + 1000);
  t.ok(book.costMs(0) < 40, `after forty ${book.costMs(0)}`);
});

t.test('a backend that fails fast does not look fast', async t => {
  const { book: fails, nowMs } = measured(20, 100, 10);
  for (let i = 1; i <= 20; i++) fails.failed(0, 1, nowMs + i * 10);
  t.ok(fails.costMs(0) > 100, `${fails.costMs(0)} after 200 ms of failures`);
  const never = new LatencyBook(1);
  never.failed(0, 0, 1000);
  t.ok(never.costMs(0) > 10_000, 'one that never succeeded is the last choice');
});

t.test('one failure in a hundred costs about ten milliseconds', async t => {
  const book = new LatencyBook(1);
  for (let i = 1; i <= 20_000; i++)
    if (i % 100 === 0) book.failed(0, 1, i);
    else book.succeeded(0, 20, i);
  t.ok(book.costMs(0) > 27 && book.costMs(0) < 34, `${book.costMs(0)}`);
});

t.test('silence is forgiven, so that a backend is tried again', async t => {
  const { book, nowMs } = measured(2000, 5, 10);
  book.failed(0, 0, nowMs + 1);
  book.tick(nowMs + 60_000);
  t.ok(book.costMs(0) < 10 && book.costMs(0) > 0, `${book.costMs(0)} a minute later`);
});

t.test('forgetting a slot makes it unmeasured', async t => {
  const { book } = measured(20, 3, 10);
  book.forget(0);
  t.equal(book.costMs(0), 0);
});

t.test('a slow failure is a slow answer too', async t => {
  const { book, nowMs } = measured(20, 3, 10);
  book.failed(0, 900, nowMs);
  t.ok(book.costMs(0) >= 900);
});
