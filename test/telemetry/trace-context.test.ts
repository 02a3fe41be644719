import t from 'tap';
import { boundTraceState, formatTraceparent, receiveContext } from '../../lib/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const received = (traceparent: string, ...more: string[]) =>
  receiveContext(['Host', 'example.org', 'Traceparent', traceparent, ...more]);

t.test('a well-formed traceparent is taken, in any case of the name', async t => {
  t.same(received(`00-${TRACE}-${PARENT}-01`), {
    traceId: TRACE,
    parentId: PARENT,
    flags: 1,
    traceState: '',
  });
  t.equal(received(`00-${TRACE}-${PARENT}-00`)?.flags, 0);
  t.equal(received(`00-${TRACE}-${PARENT}-03`)?.flags, 3, 'the random flag of level 2');
  t.equal(received(`00-${TRACE}-${PARENT}-ff`)?.flags, 3, 'unknown flags are dropped');
});

t.test('a version to come is read as far as it is known', async t => {
  t.equal(received(`01-${TRACE}-${PARENT}-01`)?.traceId, TRACE);
  t.equal(received(`cc-${TRACE}-${PARENT}-01-what-ever`)?.traceId, TRACE);
  t.equal(received(`cc-${TRACE}-${PARENT}-01.more`), undefined);
});

t.test('anything malformed begins a new trace', async t => {
  for (const bad of [
    '',
    '00',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-0g`,
    `00_${TRACE}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `01-${TRACE}-${PARENT}-01-${'x'.repeat(600)}`,
  ])
    t.equal(received(bad), undefined, bad.slice(0, 70));
  t.equal(receiveContext([]), undefined);
  t.equal(
    received(`00-${TRACE}-${PARENT}-01`, 'traceparent', `00-${TRACE}-${PARENT}-01`),
    undefined,
    'two parents are none',
  );
});

t.test('tracestate passes on in one line', async t => {
  const context = received(
    `00-${TRACE}-${PARENT}-01`,
    'tracestate',
    'congo=t61rcWkgMzE, ',
    'TraceState',
    ' rojo@sys=00f0',
  );
  t.equal(context?.traceState, 'congo=t61rcWkgMzE,rojo@sys=00f0');
  t.equal(received('nonsense', 'tracestate', 'a=1'), undefined, 'and not without its traceparent');
});

t.test('tracestate is dropped whole when a member is malformed, its traceparent kept', async t => {
  for (const bad of [
    'a',
    'A=1',
    '=1',
    'a=',
    'a=b=c',
    'a=1,a=2',
    'ä=1',
    `${'k'.repeat(257)}=1`,
    `a=${'v'.repeat(257)}`,
  ])
    t.equal(received(`00-${TRACE}-${PARENT}-01`, 'tracestate', bad)?.traceState, '', bad.slice(0, 30));
  t.equal(received(`00-${TRACE}-${PARENT}-01`, 'tracestate', 'a')?.traceId, TRACE);
});

t.test('tracestate is bounded: long members go first, then the last', async t => {
  t.equal(boundTraceState(Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')), '');
  const long = `long=${'x'.repeat(200)}`;
  const short = Array.from({ length: 10 }, (_, i) => `k${i}=${'y'.repeat(40)}`);
  t.equal(
    boundTraceState([short[0], long, long.replace('long', 'more'), short[1]].join(',')).includes(long),
    true,
  );
  const cut = boundTraceState([long, ...short].join(','));
  t.notOk(cut.includes('long'));
  t.equal(cut, short.join(','));
  const many = Array.from({ length: 30 }, (_, i) => `key${i}=${'z'.repeat(30)}`);
  const kept = boundTraceState(many.join(','));
  t.ok(kept.length <= 512);
  t.ok(kept.startsWith('key0='));
  t.equal(boundTraceState(`a=${'b'.repeat(10_000)}`), '');
});

t.test('what is written is version 00', async t => {
  t.equal(formatTraceparent(TRACE, PARENT, 3), `00-${TRACE}-${PARENT}-03`);
  t.equal(formatTraceparent(TRACE, PARENT, 0xff), `00-${TRACE}-${PARENT}-03`);
});
