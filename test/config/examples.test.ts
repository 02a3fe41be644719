// Everything that config/ ships loads without a warning, points editors at its schema, and shows every key.

import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { BackendList, Cluster } from '../../lib/config/cluster.ts';
import { clusterSchema, rootSchema, schemaText } from '../../lib/config/json-schema.ts';
import { loadConfig } from '../../lib/config/load.ts';
import { formatProblem } from '../../lib/config/problem.ts';
import { Root } from '../../lib/config/proxy.ts';
import { allKeys } from '../../lib/config/schema-walk.ts';
import { fixedClock } from './fixed-clock.ts';

const CONFIG = resolve(import.meta.dirname, '../../config');
const EXAMPLES = join(CONFIG, 'examples');
const examples = readdirSync(EXAMPLES).filter(name => name.endsWith('.yaml'));

for (const path of [CONFIG, ...examples.map(name => join(EXAMPLES, name))])
  t.test(`${path.slice(CONFIG.length - 6)} is valid without a warning`, async t => {
    const token = join(t.testdir({ token: 'a-token' }), 'token');
    chmodSync(token, 0o600);
    const env = { CERTS: join(import.meta.dirname, 'pem'), ADMIN_TOKEN: token };
    const loaded = await loadConfig(path, env, fixedClock);
    t.same((loaded.ok ? loaded.warnings : loaded.problems).map(formatProblem), []);
    t.ok(loaded.ok);
  });

t.test('what npm start runs: one listener, three backends, checks and stickiness', async t => {
  const loaded = await loadConfig(CONFIG, {}, fixedClock);
  if (!loaded.ok) return t.fail('not valid');
  t.same(
    loaded.config.listeners.map(l => l.address),
    ['127.0.0.1:8080'],
  );
  t.equal(loaded.config.admin.address, '127.0.0.1:9900');
  t.same(
    loaded.config.clusters.web!.backends.map(b => b.url),
    [9001, 9002, 9003].map(port => `http://127.0.0.1:${port}`),
  );
  t.equal(loaded.config.clusters.web!.health?.http?.path, '/healthz');
  t.equal(loaded.config.clusters.web!.sticky?.by, 'cookie');
});

t.test('the first line of each file names the schema for editors', async t => {
  const expected = new Map([
    ['leaseway.yaml', './leaseway.schema.json'],
    ['clusters/web.yaml', '../cluster.schema.json'],
    ...examples.map(name => [`examples/${name}`, '../leaseway.schema.json'] as const),
  ]);
  for (const [file, schema] of expected)
    t.equal(
      readFileSync(join(CONFIG, file), 'utf8').split('\n')[0],
      `# yaml-language-server: $schema=${schema}`,
      file,
    );
});

t.test('the schemas are those of the code; if not: npm run schema', async t => {
  t.equal(readFileSync(join(CONFIG, 'leaseway.schema.json'), 'utf8'), schemaText(rootSchema()));
  t.equal(readFileSync(join(CONFIG, 'cluster.schema.json'), 'utf8'), schemaText(clusterSchema()));
});

t.test('defaults in the schemas are written as in YAML', async t => {
  const cluster = clusterSchema() as {
    properties: Record<string, { properties: Record<string, { default?: unknown }> }>;
  };
  t.equal(cluster.properties.timeouts!.properties.connect!.default, '2s');
  t.equal(cluster.properties.retry!.properties.buffer!.default, '64KiB');
});

t.test('everything.yaml sets every key there is', async t => {
  const shown = new Set<string>();
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, `${path}[]`);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value))
        for (const here of [path === '' ? key : `${path}.${key}`, `${path}.*`]) {
          shown.add(here);
          walk(inner, here);
        }
  };
  walk(parse(readFileSync(join(EXAMPLES, 'everything.yaml'), 'utf8')), '');
  const keys = [...allKeys(Root), ...allKeys(Cluster).map(key => `clusters.*.${key}`)];
  t.ok(keys.length > 150, 'the schema was read');
  t.same(
    keys.filter(key => !shown.has(key)),
    [],
  );
});

t.test('the list of a watched file is one', async t => {
  t.ok(BackendList.safeParse(parse(readFileSync(join(EXAMPLES, 'discovery/backends.yaml'), 'utf8'))).success);
});
