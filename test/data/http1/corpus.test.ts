// Every byte string of the corpus has the one reading that was written down for it, however it is cut.

import t, { type Test } from 'tap';
import { ANSWERS } from './corpus/answers.ts';
import { type Case, cuts, readAnswer, readRequests } from './corpus/reading.ts';
import { REQUESTS } from './corpus/requests.ts';

function holds<One extends Case>(
  t: Test,
  cases: readonly One[],
  read: (pieces: Buffer[], one: One) => string[],
): void {
  let readings = 0;
  for (const one of cases) {
    const wrong: { pieces: string[]; got: string[] }[] = [];
    for (const pieces of cuts(one.bytes)) {
      readings += 1;
      const got = read(pieces, one);
      if (got.join('\n') === one.reading.join('\n')) continue;
      wrong.push({ pieces: pieces.slice(0, 4).map(piece => piece.toString('latin1').slice(0, 200)), got });
    }
    if (wrong.length > 0) t.same(wrong.slice(0, 2), one.reading, one.name);
  }
  t.comment(`${cases.length} byte strings, ${readings} readings`);
}

t.test('requests', async t => {
  t.ok(REQUESTS.length >= 300, `${REQUESTS.length} byte strings`);
  holds(t, REQUESTS, pieces => readRequests(pieces));
});

t.test('answers', async t => {
  t.ok(ANSWERS.length >= 150, `${ANSWERS.length} byte strings`);
  holds(t, ANSWERS, (pieces, { method, ends }) => readAnswer(pieces, method, ends));
});

t.test('no byte string is in the corpus twice', async t => {
  for (const cases of [
    REQUESTS,
    ANSWERS.map(one => ({ ...one, bytes: `${one.method}${one.ends}${one.bytes}` })),
  ]) {
    const seen = new Map<string, string>();
    for (const { name, bytes } of cases) {
      if (seen.has(bytes)) t.fail(`${name} is ${seen.get(bytes)}`);
      seen.set(bytes, name);
    }
  }
  t.pass();
});
