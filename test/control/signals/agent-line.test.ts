// Every word of HAProxy's agent protocol, alone and together, and what is none.

import fc from 'fast-check';
import t from 'tap';
import { NO_SAY, readAgentLine } from '../../../lib/control/signals/agent-line.ts';

const read = (line: string, before = NO_SAY) => readAgentLine(line, before);

t.test('each word does its own and leaves the rest', async t => {
  t.match(read('75%'), { percent: 0.75, say: NO_SAY, refused: 0 });
  t.match(read('0%'), { percent: 0 });
  t.match(read('maxconn:30'), { maxConnections: 30, say: { maxConnections: 30 } });
  for (const admin of ['ready', 'drain', 'maint'] as const)
    t.match(read(admin), { say: { admin }, refused: 0 });
  for (const word of ['down', 'fail', 'stopped']) t.match(read(word), { say: { down: true, why: word } });
  t.match(read('down#the disk is full'), { say: { down: true, why: 'the disk is full' } });
  const out = read('drain maxconn:5 down#why').say;
  t.match(read('up', out), { say: { down: false, why: '', admin: 'drain', maxConnections: 5 } });
  t.match(read('ready', out), { say: { down: true, admin: 'ready' } });
  t.match(read('50%', out).say, out, 'what is not said stands');
});

t.test('words together, by spaces, tabs and commas, in any case, to the end of the line', async t => {
  const { say, percent, refused } = read('UP ready,75%\tmaxconn:30\r\ndown');
  t.same([say.down, say.admin, say.maxConnections, percent, refused], [false, 'ready', 30, 0.75, 0]);
  t.match(read('maint\n'), { say: { admin: 'maint' } });
  t.match(read('up\0down'), { say: { down: false } });
});

t.test('what means nothing is counted, and the rest counts', async t => {
  for (const word of [
    '101%',
    '-5%',
    '1e2%',
    '%',
    'maxconn:',
    'maxconn:-1',
    'maxconn:99999999',
    'hello',
    'nan%',
    '7.5%',
  ])
    t.match(read(`${word} drain`), { refused: 1, percent: null, say: { admin: 'drain' } }, word);
  t.match(read(''), { refused: 0, say: NO_SAY });
});

t.test('nothing throws, and nothing is beyond its bounds', async t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), line => {
      const { say, percent } = read(line);
      return (
        say.maxConnections >= 0 &&
        say.why.length <= 200 &&
        (percent === null || (percent >= 0 && percent <= 1))
      );
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
