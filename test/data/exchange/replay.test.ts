import t from 'tap';
import { Replay } from '../../../lib/data/exchange/replay.ts';
import { freePage, isLent, takePage } from '../../../lib/data/lent.ts';

const text = (replay: Replay): string => Buffer.concat(replay.chunks).toString();
const freePages = (): number => {
  const taken: Buffer[] = [];
  for (let page = takePage(); page !== null; page = takePage()) taken.push(page);
  for (const page of taken) freePage(page);
  return taken.length;
};

t.test('what was lent is kept as it was, in a page that is given back once', async t => {
  const before = freePages();
  const lent = takePage()!;
  const replay = new Replay(100_000);
  for (const word of ['one ', 'two ']) replay.keep(lent.fill(word, 0, 4).subarray(0, 4));
  replay.keep(Buffer.from('owned '));
  lent.fill('!');
  t.equal(text(replay), 'one two owned ');
  t.equal(freePages(), before - 2);
  replay.keep(lent.subarray(0, 65_530));
  t.notOk(isLent(replay.chunks.at(-1)!), 'no room in the page: a copy');
  t.ok(replay.whole);
  replay.keep(lent);
  t.notOk(replay.whole, 'over the limit');
  t.equal(text(replay), '');
  replay.drop();
  freePage(lent);
  t.equal(freePages(), before);
});

t.test('without a free page it keeps copies', async t => {
  const taken: Buffer[] = [];
  for (let page = takePage(); page !== null; page = takePage()) taken.push(page);
  const replay = new Replay(100);
  replay.keep(taken[0]!.fill('a', 0, 3).subarray(0, 3));
  taken[0]!.fill('!');
  t.equal(text(replay), 'aaa');
  replay.drop();
  for (const page of taken) freePage(page);
});
