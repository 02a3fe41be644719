// What operators decided is on disk before it is answered, and survives damage.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { AdminState } from '../../../lib/control/backend/admin-state.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const file = (): string => join(mkdtempSync(join(tmpdir(), 'leaseway-admin-')), 'admin.json');
const A = { id: 'a', url: 'http://127.0.0.1:1', weight: 2 };

t.test('records and added backends survive a restart', async t => {
  const path = file();
  const log = new MemoryLog();
  const before = new AdminState(path, log);
  before.set('web', 'a', { state: 'drain', drainUntilMs: 5, weight: 3 });
  before.set('web', 'b', { state: 'maintenance' });
  before.add('web', A);
  const after = new AdminState(path, log);
  t.same(after.get('web', 'a'), { cluster: 'web', id: 'a', state: 'drain', drainUntilMs: 5, weight: 3 });
  t.equal(after.get('web', 'b').state, 'maintenance');
  t.same(after.get('web', 'c'), { state: 'ready' });
  t.same(after.added('web'), [A]);
  t.same(after.added('other'), []);
  after.remove('web', 'a');
  t.same(new AdminState(path, log).added('web'), []);
  t.same(log.lines, []);
});

t.test('a record that says nothing is not kept', async t => {
  const path = file();
  const state = new AdminState(path, new MemoryLog());
  state.set('web', 'a', { state: 'drain' });
  state.set('web', 'a', { state: 'ready' });
  t.same(JSON.parse(readFileSync(path, 'utf8')).records, []);
});

t.test('a file that is not JSON is moved aside and said', async t => {
  const path = file();
  writeFileSync(path, 'not json');
  const log = new MemoryLog();
  const state = new AdminState(path, log);
  t.equal(log.count('error', 'cannot be read'), 1);
  t.equal(readFileSync(`${path}.bad`, 'utf8'), 'not json');
  t.same(state.get('web', 'a'), { state: 'ready' });
  state.set('web', 'a', { state: 'drain' });
  t.equal(new AdminState(path, log).get('web', 'a').state, 'drain');
});

t.test('of a damaged file the readable entries are used', async t => {
  const path = file();
  const good = { cluster: 'web', id: 'a', state: 'maintenance' };
  writeFileSync(
    path,
    JSON.stringify({ records: [good, { cluster: 'web', id: 'b', state: 'gone fishing' }] }),
  );
  const log = new MemoryLog();
  const state = new AdminState(path, log);
  t.equal(state.get('web', 'a').state, 'maintenance');
  t.equal(log.count('error', '1 entries cannot be read'), 1);
  t.match(readFileSync(`${path}.bad`, 'utf8'), 'gone fishing');
});

t.test('two processes during an upgrade keep each other’s words', async t => {
  const path = file();
  const old = new AdminState(path, new MemoryLog());
  const next = new AdminState(path, new MemoryLog());
  next.set('web', 'a', { state: 'maintenance' });
  old.set('web', 'b', { state: 'drain' });
  t.equal(new AdminState(path, new MemoryLog()).get('web', 'a').state, 'maintenance');
});

t.test('an order that cannot be written is refused and changes nothing', async t => {
  const path = file();
  writeFileSync(join(path, '..', 'blocked'), '');
  const state = new AdminState(join(path, '..', 'blocked', 'admin.json'), new MemoryLog());
  t.throws(() => state.set('web', 'a', { state: 'drain' }), { code: 'INTERNAL', message: /cannot write/ });
  t.equal(state.get('web', 'a').state, 'ready');
});
