import fc from 'fast-check';
import t from 'tap';
import { ERRORS, type ErrorCode } from '../../../lib/core/errors.ts';
import { fieldValue } from '../../../lib/core/fields.ts';
import { errorAnswer, fixedAnswer, grpcTrailers, redirectAnswer } from '../../../lib/data/router/answers.ts';
import { isReason, normalForm } from '../../../lib/data/router/normal-form.ts';
import { compileRoute } from '../../../lib/data/router/route.ts';
import { headOf, routeOf, targetOf } from './support.ts';

const text = (body: Uint8Array): string => Buffer.from(body).toString();

t.test('errors are plain text, or JSON when that is asked for by name', async t => {
  const plain = errorAnswer('NO_ROUTE', headOf(), 'id-1');
  t.equal(plain.status, 404);
  t.equal(text(plain.body), '404 NO_ROUTE: no route matches this host and path\nrequest id: id-1\n');
  t.equal(fieldValue(plain.fields, 'content-length'), String(plain.body.length));
  t.equal(fieldValue(plain.fields, 'cache-control'), 'no-store');
  for (const accept of [
    'application/json',
    'text/html, application/problem+json;q=0.9',
    'Application/JSON; q=1',
  ]) {
    const json = errorAnswer('NO_ROUTE', headOf({ fields: ['Accept', accept] }), 'id-1');
    t.same(JSON.parse(text(json.body)), {
      error: { code: 'NO_ROUTE', message: ERRORS.NO_ROUTE.says, request_id: 'id-1' },
    });
  }
  t.match(text(errorAnswer('NO_ROUTE', headOf({ fields: ['Accept', '*/*'] }), 'x').body), /^404/);
});

t.test('Retry-After on 429 and 503, Allow on 405', async t => {
  t.equal(fieldValue(errorAnswer('TOO_MANY_REQUESTS', headOf(), 'x', 2.1).fields, 'retry-after'), '3');
  t.equal(fieldValue(errorAnswer('QUEUE_FULL', headOf(), 'x', 0).fields, 'retry-after'), '1');
  t.equal(fieldValue(errorAnswer('BAD_REQUEST', headOf(), 'x').fields, 'retry-after'), undefined);
  t.match(fieldValue(errorAnswer('METHOD_REFUSED', headOf(), 'x').fields, 'allow'), /GET/);
});

t.test('HEAD gets the head of the answer', async t => {
  const answer = errorAnswer('NO_ROUTE', headOf({ method: 'HEAD' }), 'x');
  t.equal(answer.body.length, 0);
  t.ok(Number(fieldValue(answer.fields, 'content-length')) > 0);
});

t.test('gRPC clients get a status they understand, for every code', async t => {
  const head = headOf({ method: 'POST', fields: ['Content-Type', 'application/grpc+proto'] });
  const expected: Partial<Record<ErrorCode, string>> = {
    NO_BACKEND: '14',
    DEADLINE: '4',
    TOO_MANY_REQUESTS: '8',
    NO_ROUTE: '12',
    BAD_REQUEST: '3',
    FORBIDDEN: '7',
    INTERNAL: '13',
  };
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, fields, body } = errorAnswer(code, head, 'id');
    t.equal(status, 200);
    t.equal(body.length, 0);
    const grpcStatus = fieldValue(fields, 'grpc-status')!;
    if (expected[code] !== undefined) t.equal(grpcStatus, expected[code], code);
    t.ok(Number(grpcStatus) >= 1 && Number(grpcStatus) <= 16, code);
    t.match(fieldValue(fields, 'grpc-message'), /^[\x20-\x7e]+$/);
  }
  t.same(grpcTrailers('ANSWER_CUT').slice(0, 2), ['grpc-status', '14']);
});

const redirect = (to: string, target: string, authority = 'example.org:8080') => {
  const route = compileRoute(routeOf({ redirect: { to } }), 0);
  return redirectAnswer(route, targetOf(target, { authority, version: authority === '' ? '1.0' : '1.1' }));
};
const location = (to: string, target: string): string => {
  const answer = redirect(to, target);
  if (isReason(answer)) throw new Error(answer.detail);
  return fieldValue(answer.fields, 'location')!;
};

t.test('redirects fill in host, path and query', async t => {
  t.equal(location('https://{host}{path}?{query}', '/a/b?x=1'), 'https://example.org/a/b?x=1');
  t.equal(location('https://{host}{path}?{query}', '/a'), 'https://example.org/a');
  t.equal(location('/new?from=here&{query}', '/a'), '/new?from=here');
  t.equal(location('/é x', '/a'), '/%C3%A9%20x');
  t.equal(location('{path}', '/a?"<b>\\'), '/a');
  t.equal(location('/q?{query}', '/a?"<b>\\[x]'), '/q?%22%3Cb%3E%5C%5Bx%5D');
  t.match(redirect('https://{host}/', '/', ''), { code: 'BAD_REQUEST' });
  t.throws(() => redirect('/{user}', '/'), { code: 'CONFIG_INVALID' });
  t.throws(() => redirect('/{path', '/'), { code: 'CONFIG_INVALID' });
  t.throws(() => redirect('/a\r\nSet-Cookie: x', '/'), { code: 'CONFIG_INVALID' });
});

t.test('a path cannot become another host', async t => {
  t.equal(location('{path}', '//evil.example/x'), '/.//evil.example/x');
  t.equal(new URL(location('{path}', '//evil.example/x'), 'http://example.org').host, 'example.org');
});

t.test('no request can put a line break or a foreign host into Location', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), junk => {
      const target = normalForm(headOf({ target: `/${junk}` }));
      if (isReason(target)) return true;
      return ['https://{host}{path}?{query}', '{path}', '/to?{query}'].every(to => {
        const answer = redirectAnswer(compileRoute(routeOf({ redirect: { to } }), 0), target);
        if (isReason(answer)) return false;
        const value = fieldValue(answer.fields, 'location')!;
        return /^[\x21-\x7e]+$/.test(value) && new URL(value, 'https://example.org').host === 'example.org';
      });
    }),
    { numRuns: 2000 },
  );
});

t.test('fixed responses', async t => {
  const answer = (respond: object, method = 'GET') =>
    fixedAnswer(
      compileRoute(routeOf({ respond, response_headers: { set: { 'X-A': '1' } } }), 0),
      headOf({ method }),
    );
  const plain = answer({ body: 'hi' });
  t.match(plain, {
    status: 200,
    fields: ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', '2', 'X-A', '1'],
  });
  t.equal(text(plain.body), 'hi');
  t.equal(answer({ body: 'hi' }, 'HEAD').body.length, 0);
  t.same(answer({ status: 204, body: 'hi' }).fields, ['X-A', '1']);
  t.same(answer({ body: '{}', headers: { 'content-type': 'application/json' } }).fields.slice(0, 2), [
    'content-type',
    'application/json',
  ]);
});
