import t from 'tap';
import { bar } from '../../lib/cli/drain-wait.ts';
import { shortBytes, shortDuration } from '../../lib/cli/figures.ts';
import { statusText } from '../../lib/cli/status-text.ts';
import { table } from '../../lib/cli/table.ts';
import { FakeControl, fakeBackend } from '../support/fake-control.ts';

const plain = { columns: Number.POSITIVE_INFINITY, color: false };

t.test('the last column gives way to a narrow terminal', async t => {
  const rows = [['web-1', 'a rather long explanation']];
  const columns = [{ title: 'ID' }, { title: 'DETAIL' }];
  t.equal(table(columns, rows, plain), 'ID     DETAIL\nweb-1  a rather long explanation\n');
  t.equal(table(columns, rows, { ...plain, columns: 20 }), 'ID     DETAIL\nweb-1  a rather lon…\n');
  t.equal(
    table(columns, rows, { ...plain, columns: 3 }),
    'ID     DETAIL\nweb-1  a rathe…\n',
    'but never vanishes',
  );
});

t.test('numbers stand to the right, and colours do not move anything', async t => {
  const columns = [{ title: 'N', right: true }, { title: 'STATE' }, { title: 'X' }];
  const rows = [
    ['7', { text: 'up', paint: 'green' as const }, 'a'],
    ['123', 'draining', 'b'],
  ];
  t.equal(table(columns, rows, plain), '  N  STATE     X\n  7  up        a\n123  draining  b\n');
  const colored = table(columns, rows, { ...plain, color: true });
  t.match(colored, '\x1b[32mup      \x1b[0m');
  t.equal(colored.replaceAll(/\x1b\[\d+m/g, ''), table(columns, rows, plain));
});

t.test('durations and sizes are short', async t => {
  const durations: [number, string][] = [
    [0, '0'],
    [250, '250ms'],
    [92_400, '1m32s'],
    [3_700_000, '1h1m'],
    [90_000_000, '1d1h'],
    [-5, '0'],
  ];
  for (const [ms, text] of durations) t.equal(shortDuration(ms), text);
  t.equal(shortBytes(512), '512 B');
  t.equal(shortBytes(1_536), '1.5 KiB');
  t.equal(shortBytes(12 * 1024 ** 2), '12 MiB');
});

t.test('the bar fills as the backend empties', async t => {
  const backend = fakeBackend('web', 'web-1', { tunnels: 5, inFlight: 1, drainUntilMs: 61_000 });
  t.equal(bar(backend, 24, 1_000), `${'█'.repeat(18)}${'░'.repeat(6)} 6 of 24 left, ended in 1m`);
  t.match(bar({ ...backend, tunnels: 0, inFlight: 0 }, 24, 0), /^█{24} 0 of 24/);
});

t.test('the status tells draining and ejected backends apart', async t => {
  const backends = [
    fakeBackend('web', 'a', { state: 'draining', drainUntilMs: 61_000 }),
    fakeBackend('web', 'b', { state: 'down', ejectedUntilMs: 6_000 }),
    fakeBackend('web', 'c', { weight: 2, effectiveWeight: 0.333 }),
  ];
  const text = statusText(new FakeControl({ backends }).status_, 1_000, plain);
  t.match(text, /web\/a .*ended in 1m$/m);
  t.match(text, /web\/b .*ejected, back in 5s$/m);
  t.match(text, /web\/c +up +0\.33\/2 /m);
});

t.test('the status shows what backends say of their load, and how old that is', async t => {
  const source = { name: '', detail: '', failures: 0, refused: 0 };
  const backends = [
    fakeBackend('web', 'a', {
      signals: [
        { signal: 'cpu', value: 0.624, ageMs: 900, source: 'orca' },
        { signal: 'memory', value: 0.4, ageMs: 4_000, source: 'scrape' },
        { signal: 'in_flight', value: 7, ageMs: 900, source: 'orca' },
      ],
      sources: [
        { ...source, source: 'orca', ok: true, ageMs: 900 },
        { ...source, source: 'scrape', ok: false, ageMs: 4_000 },
      ],
    }),
    fakeBackend('web', 'b', { sources: [{ ...source, source: 'orca', ok: null, ageMs: null }] }),
    fakeBackend('web', 'c'),
  ];
  const text = statusText(new FakeControl({ backends }).status_, 1_000, plain);
  t.match(text, /web\/a .* cpu 62% mem 40% \(orca 900ms, scrape fails 4s\) /);
  t.match(text, /web\/b .* \(orca silent\) /);
  t.match(text, /web\/c .* - +200 in 1 ms$/m);
  t.notMatch(
    statusText(new FakeControl().status_, 1_000, plain),
    'REPORTS',
    'no column for what nobody says',
  );
});
