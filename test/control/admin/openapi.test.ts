import t from 'tap';
import { openApiDocument } from '../../../lib/control/admin/openapi.ts';
import { ROUTES } from '../../../lib/control/admin/table.ts';
import { adminFixture } from '../../support/admin-fixture.ts';

// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document, looked into freely.
const document = JSON.parse(JSON.stringify(openApiDocument(ROUTES, '0.1.0'))) as any;

t.test('every route of the table is documented, and nothing else', async t => {
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations as object).map(method => `${method.toUpperCase()} ${path}`),
  );
  t.same(documented.toSorted(), ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
  const ids = Object.values(document.paths).flatMap(operations =>
    Object.values(operations as Record<string, { operationId: string }>).map(
      ({ operationId }) => operationId,
    ),
  );
  t.equal(new Set(ids).size, ids.length, `operation ids are unique: ${ids.join(' ')}`);
});

t.test('every parameter in a path is declared', async t => {
  for (const { method, path } of ROUTES) {
    const { parameters } = document.paths[path][method.toLowerCase()];
    const declared = parameters
      .filter((p: { in: string }) => p.in === 'path')
      .map((p: { name: string }) => p.name);
    t.same(
      declared,
      [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]),
      `${method} ${path}`,
    );
  }
});

t.test('every reference leads somewhere', async t => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(match => match[1]!);
  t.ok(references.length > 20);
  for (const reference of new Set(references)) {
    let at = document;
    for (const part of reference.slice(2).split('/')) at = at?.[part];
    t.type(at, 'object', reference);
  }
});

t.test('examples are valid by their schemas', async t => {
  for (const { method, path, body, answers } of ROUTES) {
    if (body !== null) t.ok(body.schema.safeParse(body.example).success, `${method} ${path} body`);
    for (const [status, { schema, example }] of Object.entries(answers)) {
      const result = schema?.safeParse(example);
      t.notOk(result?.error, `${method} ${path} ${status}`);
    }
  }
});

t.test('only what only this machine can read is open', async t => {
  for (const { method, path } of ROUTES) {
    const { security, parameters } = document.paths[path][method.toLowerCase()];
    const open = security.some((requirement: object) => Object.keys(requirement).length === 0);
    t.equal(open, method === 'GET', `${method} ${path}`);
    const ifMatch = parameters.some((p: { name: string }) => p.name === 'If-Match');
    t.equal(ifMatch, method !== 'GET', `${method} ${path} takes If-Match`);
  }
});

t.test('what is really answered is as documented', async t => {
  const { call } = await adminFixture(t);
  t.same((await call('GET', '/v1/openapi.json')).json, document);
  for (const { method, path, answers } of ROUTES) {
    const url = path
      .replace('{cluster}', 'web')
      .replace('{id}', path.includes('leases') ? '1-4711' : 'web-1');
    const example = ROUTES.find(route => route.path === path && route.method === method)?.body?.example;
    const reply = await call(method, url, { write: true, body: example });
    const doc = answers[reply.status];
    t.ok(doc, `${method} ${path} answers ${reply.status}`);
    t.notOk(doc?.schema?.safeParse(reply.json).error, `${method} ${path} answers by its schema`);
    t.match(reply.headers['content-type'], doc?.type ?? 'application/json', `${method} ${path} type`);
  }
});
