import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureStateDir, stateDirOf } from '../../lib/core/state-dir.ts';

t.test('each configuration has its own directory, the same at every start', async t => {
  const env = { HOME: '/home/a' };
  const one = stateDirOf({ configPath: '/srv/one/config', env });
  t.match(one, /^\/home\/a\/\.local\/state\/leaseway\/config-[0-9a-f]{8}$/);
  t.equal(one, stateDirOf({ configPath: '/srv/one/./config/', env }));
  t.not(one, stateDirOf({ configPath: '/srv/two/config', env }));
});

t.test('XDG_STATE_HOME is honoured when absolute', async t => {
  const configPath = '/c';
  t.match(stateDirOf({ configPath, env: { XDG_STATE_HOME: '/x', HOME: '/h' } }), /^\/x\/leaseway\/c-/);
  t.match(
    stateDirOf({ configPath, env: { XDG_STATE_HOME: 'x', HOME: '/h' } }),
    /^\/h\/\.local\/state\/leaseway\/c-/,
  );
});

t.test('state.dir goes first', async t => {
  t.equal(
    stateDirOf({ configPath: '/etc/leaseway', configured: '/var/lib/leaseway', env: {} }),
    '/var/lib/leaseway',
  );
});

t.test('the directory is made for its owner alone; one that others can write to is refused', async t => {
  const dir = join(t.testdir(), 'a', 'b');
  t.equal(ensureStateDir(dir), dir);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  const open = join(t.testdir(), 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  t.throws(() => ensureStateDir(open), { code: 'CONFIG_INVALID', detail: /chmod 700/ });
  chmodSync(open, 0o755);
  t.equal(ensureStateDir(open), open, 'one that others can only read stays as it is');
  const file = join(t.testdir(), 'file');
  writeFileSync(file, '');
  t.throws(() => ensureStateDir(file), { code: 'CONFIG_INVALID' });
});
