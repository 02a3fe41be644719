import t from 'tap';
import { fieldValue, fieldValues, hasField } from '../../../lib/core/fields.ts';
import { AnswerHygiene } from '../../../lib/data/hygiene/answer-fields.ts';
import { compileEdits } from '../../../lib/data/router/edits.ts';
import { leaseCarrier } from '../../../lib/plan/lease/carrier.ts';

let wallMs = Date.UTC(2026, 10, 20, 12, 0, 0);
const hygiene = new AnswerHygiene('leaseway', {
  monotonicMs: () => wallMs,
  wallMs: () => wallMs,
  after: () => ({ [Symbol.dispose]() {} }),
});
const sticky = { path: '/', same_site: 'Lax', secure: 'auto', term: 60_000, remember: 3_600_000 } as const;
const carrier = leaseCarrier({ ...sticky, by: 'cookie' }, 'web');
const lease = { carrier, field: carrier.write('TOKEN', false) };
const given = (...fields: string[]) => hygiene.forward({ status: 200, fields }, '1.1', null, carrier, lease);

t.test('Via is added, Date where it is missing, Leaseway fields stay inside', async t => {
  const out = hygiene.forward(
    {
      status: 200,
      fields: [
        'Via',
        '1.1 b',
        'X-A',
        '1',
        'Leaseway-Epoch',
        '3',
        'leaseway-load',
        'x',
        'Set-Cookie',
        'a=1',
        'set-cookie',
        'b=2',
      ],
    },
    '2',
    null,
    null,
    null,
  );
  t.same(out, [
    'X-A',
    '1',
    'Set-Cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'Via',
    '1.1 b, 2 leaseway',
    'Date',
    'Fri, 20 Nov 2026 12:00:00 GMT',
  ]);
  wallMs += 1000;
  t.equal(hygiene.date(), 'Fri, 20 Nov 2026 12:00:01 GMT');
  t.same(fieldValues(given('date', 'theirs'), 'date'), ['theirs']);
});

t.test('the route edits what goes back', async t => {
  const edits = compileEdits({ set: { Server: 'x' }, add: { 'X-B': '2' }, remove: ['X-Powered-By'] }, 'r');
  const out = hygiene.forward(
    { status: 200, fields: ['server', 'y', 'x-powered-by', 'z'] },
    '1.1',
    edits,
    null,
    null,
  );
  t.same(fieldValues(out, 'server'), ['x']);
  t.notOk(hasField(out, 'x-powered-by'));
  t.equal(fieldValue(out, 'x-b'), '2');
});

t.test('a lease makes its answer private', async t => {
  const cookie = 'leaseway-web=TOKEN; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax';
  for (const [before, after] of [
    [undefined, 'private'],
    ['max-age=60', 'max-age=60, private'],
    ['no-cache', 'no-cache, private'],
    ['private="x"', 'private="x", private'],
    ['no-store', 'no-store'],
    ['Private, max-age=1', 'Private, max-age=1'],
  ] as const) {
    const out = given(...(before === undefined ? [] : ['cache-control', before]));
    t.same(fieldValues(out, 'cache-control'), [after]);
    t.same(fieldValues(out, 'set-cookie'), [cookie]);
  }
});

t.test('an answer for everyone gets no lease', async t => {
  for (const fields of [
    ['Cache-Control', 'public, max-age=60'],
    ['Cache-Control', 'max-age=1', 'Cache-Control', 's-maxage=60'],
    ['Surrogate-Control', 'max-age=60'],
    ['CDN-Cache-Control', 'max-age=60'],
  ])
    t.notOk(hasField(given(...fields), 'set-cookie'), fields.join());
  t.ok(hasField(given('CDN-Cache-Control', 'no-store'), 'set-cookie'));
});

t.test('a backend cannot set the lease cookie', async t => {
  t.same(
    fieldValues(
      given('Set-Cookie', 'leaseway-web=; Max-Age=0', 'Set-Cookie', 'leaseway-webx=1'),
      'set-cookie',
    ).slice(0, -1),
    ['leaseway-webx=1'],
  );
});
