// Who may import whom: the architecture of lib/README.md, kept by a test.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const ROOT = resolve(import.meta.dirname, '../..');
const LIB = join(ROOT, 'lib');

/** Folder of lib → folders it may import from, besides itself. `types:` allows `import type` only. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  scoreboard: ['core', 'types:plan'],
  orders: ['types:core', 'types:config', 'types:scoreboard', 'types:plan'],
  plan: ['core'],
  telemetry: ['core', 'types:config', 'types:orders', 'scoreboard'],
  data: ['core', 'types:config', 'types:orders', 'scoreboard', 'types:telemetry', 'plan'],
  // The services of leaseway.v1: its messages on one side, the data plane's words on the other.
  rpc: ['control', 'types:orders', 'data'],
  control: ['core', 'config', 'orders', 'scoreboard', 'plan', 'types:telemetry'],
  agent: ['core'],
  // A page loads it: of the rest it knows the protocol's types.
  client: ['types:control'],
  server: ['core', 'client', 'plan'],
  training: ['types:core', 'types:plan'],
  supervise: ['core', 'types:orders', 'types:config'],
  // A world runs the very classes of the proxy; of the scoreboard it needs the latency estimate alone.
  sim: ['core', 'config', 'plan', 'scoreboard'],
  // The roots and the command line wire.
  cli: ['*'],
  '.': ['*'],
};

/** Packages that only one place may know. */
const ONLY: readonly (readonly [RegExp, RegExp])[] = [
  [/^@opentelemetry\//, /^telemetry\//],
  [/^undici$/, /^(data\/upstream|control|cli)\//],
  [/^zod$/, /^(config|control|sim\/(scenario|sessions))\//],
  [/^yaml$/, /^(config|control\/backend)\//],
  [/^commander$/, /^cli\//],
  [/^@bufbuild\/protobuf/, /^(control\/api|rpc)\//],
  [/^@connectrpc\//, /^rpc\//],
  [/^brain\.js/, /^training\//],
  [/^node:sqlite$/, /^control\/store\//],
  [/^node:https?$/, /^(data\/(http1|listener|websocket|upstream)|control|cli|agent)\//],
  [/^node:http2$/, /^(data\/(http2|upstream)|control|agent)\//],
];

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name));
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const from = relative(LIB, file);
  const found: Import[] = [];
  for (const [, kind, names, to] of text.matchAll(
    /^\s*(?:import|export)(\s+type)?\s*([^;'"]*?)\s*from\s+['"]([^'"]+)['"]/gm,
  )) {
    const inline =
      names!.startsWith('{') &&
      names!
        .slice(1, -1)
        .split(',')
        .every(name => name.trim() === '' || name.trim().startsWith('type '));
    found.push({ from, to: to!, typeOnly: kind !== undefined || inline });
  }
  for (const [, to] of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g))
    found.push({ from, to: to!, typeOnly: false });
  for (const [, to] of text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm))
    found.push({ from, to: to!, typeOnly: false });
  return found;
}

const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '.');
const all = sources(LIB).flatMap(importsOf);

t.test('folders import only what the architecture allows', async t => {
  t.ok(all.length > 100, 'imports were found');
  const wrong: string[] = [];
  for (const { from, to, typeOnly } of all) {
    if (!to.startsWith('.')) continue;
    const target = relative(LIB, resolve(LIB, dirname(from), to));
    const [here, there] = [folderOf(from), folderOf(target)];
    const may = MAY[here];
    if (may === undefined) wrong.push(`${from}: folder ${here} is not in the table`);
    else if (
      here !== there &&
      !may.includes('*') &&
      !may.includes(there) &&
      !(typeOnly && may.includes(`types:${there}`))
    )
      wrong.push(`${from} imports ${target}`);
  }
  t.same(wrong, []);
});

t.test('the data plane knows of plans only balance, lease and overload', async t => {
  const wrong = all.filter(
    ({ from, to }) => from.startsWith('data/') && /\/plan\/(?!balance\/|lease\/|overload\/)/.test(to),
  );
  t.same(wrong, []);
});

t.test('the SDK needs no package, nothing of Node, and of the protocol its types alone', async t => {
  const wrong = all.filter(
    ({ from, to, typeOnly }) =>
      from.startsWith('client/') &&
      !(to.startsWith('./') || (typeOnly && to.startsWith('../control/api/gen/leaseway/v1/'))),
  );
  t.same(wrong, []);
  t.ok(all.some(({ from }) => from.startsWith('client/')));
});

t.test('servers behind us know of plans only leases', async t => {
  const wrong = all.filter(({ from, to }) => from.startsWith('server/') && /\/plan\/(?!lease\/)/.test(to));
  t.same(wrong, []);
});

t.test('a package is known to the one room that needs it', async t => {
  const wrong = all.filter(
    ({ from, to, typeOnly }) => !typeOnly && ONLY.some(([name, place]) => name.test(to) && !place.test(from)),
  );
  t.same(wrong, []);
});

t.test('time and chance come from the ports', async t => {
  const wrong: string[] = [];
  for (const file of sources(LIB)) {
    const path = relative(LIB, file);
    if (
      path === 'core/clock.ts' ||
      path === 'core/random.ts' ||
      path === 'supervisor.ts' ||
      path === 'worker.ts' ||
      // Injected as well, but where nothing of core can be had.
      path === 'client/platform.ts' ||
      // Pages: their scripts run in a browser.
      path === 'cli/examples/page.ts' ||
      path === 'cli/examples/apps/page.ts'
    )
      continue;
    readFileSync(file, 'utf8')
      .split('\n')
      .forEach((line, i) => {
        const code = line.replace(/\/\/.*$|^\s*\*.*$|^\s*\/\*.*$/, '').replace(/'[^']*'/g, "''");
        if (
          /\b(Date\.now|Math\.random|performance\.now|new Date\(\)|setTimeout|setInterval)\b(?!\s*:)/.test(
            code,
          ) &&
          !/\.setTimeout\(|setTimeout\(\): |interface|setTimeout\?:/.test(code)
        )
          wrong.push(`${path}:${i + 1}: ${line.trim()}`);
      });
  }
  t.same(wrong, []);
});

t.test('no file is longer than a reader can hold', async t => {
  const long = sources(LIB)
    .map(file => [relative(LIB, file), readFileSync(file, 'utf8').split('\n').length] as const)
    .filter(([path, lines]) => lines > 400 && !path.includes('/gen/'));
  t.same(long, []);
});

t.test('each file opens with one sentence of purpose', async t => {
  const without = [...sources(LIB), ...sources(join(ROOT, 'bin'))].filter(file => {
    const text = readFileSync(file, 'utf8').replace(/^#!.*\n/, '');
    return !text.startsWith('// ');
  });
  t.same(
    without.map(file => relative(ROOT, file)),
    [],
  );
});

t.test('imports make no circle of folders', async t => {
  const edges = new Map<string, Set<string>>();
  for (const { from, to, typeOnly } of all) {
    if (!to.startsWith('.') || typeOnly) continue;
    const target = folderOf(relative(LIB, resolve(LIB, dirname(from), to)));
    const here = folderOf(from);
    if (here === target || here === '.') continue;
    edges.set(here, (edges.get(here) ?? new Set()).add(target));
  }
  const visiting = new Set<string>();
  const circle: string[] = [];
  const visit = (folder: string): void => {
    if (visiting.has(folder)) return void circle.push([...visiting, folder].join(' → '));
    visiting.add(folder);
    for (const next of edges.get(folder) ?? []) if (next !== '.') visit(next);
    visiting.delete(folder);
  };
  for (const folder of edges.keys()) visit(folder);
  t.same(circle, []);
});
