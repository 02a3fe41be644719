import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EXIT } from '../../lib/core/exit-codes.ts';
import { runCli } from '../support/run-cli.ts';

const SCENARIO = `describe: two servers
load: [0.5]
proxies: [1]
seeds: 3
warmup: 1s
measure: 2s
servers: [{ name: web, count: 2, cores: 2 }]
policies: [round_robin, oracle]
goals:
  - { policy: oracle, figure: p99, against: round_robin, value: 1 }
  - { policy: oracle, figure: p50, value: 1 }
`;

t.test('simulate prints a table, intervals and whether goals were met', async t => {
  const file = join(t.testdir({ 'two.yaml': SCENARIO }), 'two.yaml');
  const { code, out, err } = await runCli(['simulate', file, '--progress']);
  t.equal(code, EXIT.ok, err);
  t.match(out, /^two servers\n\nload 0\.5, 1 proxy, 3 seeds\nPOLICY .* P99 \/ ROUND_ROBIN\nround_robin /);
  t.match(out, /round_robin .* 1\.00 \[1\.00, 1\.00\]\n/);
  t.match(
    out,
    /met {5}p99 \/ round_robin's, two, load 0\.5, 1 proxy, oracle: 0\.\d+ \[.*\] ratio, goal ≤ 1\n/,
  );
  t.match(out, /MISSED {2}p50, two, load 0\.5, 1 proxy, oracle: \d+.* ms, goal ≤ 1\n/);
  t.match(err, /6 of 6 runs/);
});

t.test('simulate --json gives rows with the runs behind them, the same each time', async t => {
  const file = join(t.testdir({ 'two.yaml': SCENARIO }), 'two.yaml');
  const { code, out, err } = await runCli(['simulate', file, '--json', '--seeds', '2']);
  t.equal(code, EXIT.ok, err);
  const rows = JSON.parse(out) as Record<string, unknown>[];
  const row = rows.find(one => one.figure === 'p99, two, load 0.5, 1 proxy, oracle');
  t.match(row, { unit: 'ms', goal: null, sense: '<=', baseline: null, runs: [Number, Number] });
  t.ok(rows.some(one => one.baseline === 'round_robin' && one.goal === 1 && one.unit === 'ratio'));
  t.equal((await runCli(['simulate', file, '--json', '--seeds', '2'])).out, out);
});

t.test('simulate --report writes one page that needs nothing else', async t => {
  const folder = t.testdir({ 'two.yaml': SCENARIO });
  const page = join(folder, 'two.html');
  const { code, err } = await runCli([
    'simulate',
    join(folder, 'two.yaml'),
    '--seeds',
    '2',
    '--report',
    page,
  ]);
  t.equal(code, EXIT.ok, err);
  const html = readFileSync(page, 'utf8');
  t.match(html, /<svg[\s\S]*Latency by quantile[\s\S]*forecast/);
  t.notMatch(html, /(src|href)=|<script|NaN|Infinity/);
  for (const title of ['round_robin', 'oracle']) t.ok(html.includes(`</i>${title}</span>`));
  const nowhere = await runCli([
    'simulate',
    join(folder, 'two.yaml'),
    '--report',
    join(folder, 'no', 'page'),
  ]);
  t.equal(nowhere.code, EXIT.usage);
  t.match(nowhere.err, /was not written/);
});

t.test('a scenario that is wrong or not there is told with its place', async t => {
  const folder = t.testdir({});
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, SCENARIO.replace('oracle]', 'orakel]'));
  const wrong = await runCli(['simulate', file]);
  t.equal(wrong.code, EXIT.configInvalid);
  t.match(wrong.err, /bad\.yaml:8:25 policies\[1\]: .*\n1 problem in 1 file\n/);
  t.equal(wrong.out, '');
  t.equal((await runCli(['simulate', join(folder, 'none.yaml')])).code, EXIT.usage);
  t.equal((await runCli(['simulate', file, '--seeds', 'many'])).code, EXIT.usage);
});

t.test('a scenario of sessions is told by its key, and has table, rows and page too', async t => {
  const folder = t.testdir({
    'chat.yaml': `describe: a small chat
seeds: 2
warmup: 2m
measure: 2m
sessions: { open: 100 }
backends: [{ name: one, count: 3 }]
policies: [{ policy: least_connections }, { policy: predictive }]
goals: [{ policy: predictive, figure: dropped, value: 0 }]
`,
    'bad.yaml': 'describe: x\nsessions: { opn: 5 }\n',
  });
  const page = join(folder, 'chat.html');
  const { code, out, err } = await runCli(['simulate', join(folder, 'chat.yaml'), '--report', page]);
  t.equal(code, EXIT.ok, err);
  t.match(out, /^a small chat\n\nsessions, 2 seeds\nPOLICY .*\nleast_connections .*\npredictive /);
  t.match(out, /met {5}dropped, chat, predictive: 0 \[0, 0\] sessions, goal ≤ 0/);
  const html = readFileSync(page, 'utf8');
  t.match(html, /<svg[\s\S]*fullest backend/);
  t.notMatch(html, /(src|href)=|<script|NaN|Infinity/);
  const rows = JSON.parse((await runCli(['simulate', join(folder, 'chat.yaml'), '--json'])).out) as Record<
    string,
    unknown
  >[];
  t.match(
    rows.find(({ figure }) => figure === 'dropped, chat, predictive'),
    { value: 0, goal: 0, sense: '<=' },
  );
  const wrong = await runCli(['simulate', join(folder, 'bad.yaml')]);
  t.equal(wrong.code, EXIT.configInvalid);
  t.match(wrong.err, /bad\.yaml:2:13 sessions\.?.*opn/);
});
