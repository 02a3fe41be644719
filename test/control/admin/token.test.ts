import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { defaultTokenFile, loadToken, tokenCheck } from '../../../lib/control/admin/token.ts';

t.test('a token is made once, for its owner alone', async t => {
  const stateDir = t.testdir();
  const made = loadToken({ stateDir });
  t.match(made, /^[0-9a-f]{64}$/);
  t.equal(loadToken({ stateDir }), made, 'and found again');
  const path = defaultTokenFile(stateDir);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(readFileSync(path, 'utf8'), `${made}\n`);
});

t.test('a configured token file is used as it is', async t => {
  const tokenFile = join(t.testdir(), 'token');
  writeFileSync(tokenFile, '  secret-of-an-operator==\n', { mode: 0o600 });
  t.equal(loadToken({ tokenFile, stateDir: '/nowhere' }), 'secret-of-an-operator==');
});

t.test('a token file that others can read, or that holds none, is refused with what to do', async t => {
  const dir = t.testdir();
  const file = (name: string, text: string, mode = 0o600): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const long = 'x'.repeat(40);
  mkdirSync(join(dir, 'folder'), { mode: 0o700 });
  const table: [tokenFile: string, says: RegExp][] = [
    [file('group', long, 0o640), /mode 640.*chmod 600/],
    [file('world', long, 0o604), /mode 604/],
    [file('short', 'abc'), /16 or more/],
    [file('empty', ''), /16 or more/],
    [file('two', `${long}\n${long}`), /one line/],
    [file('huge', 'x'.repeat(2000)), /holds no token/],
    [join(dir, 'none'), /does not exist/],
    [join(dir, 'folder'), /cannot be read/],
  ];
  for (const [tokenFile, says] of table) {
    const attempt = () => loadToken({ tokenFile, stateDir: dir });
    t.throws(attempt, { code: 'CONFIG_INVALID', detail: says }, tokenFile);
  }
});

t.test('a token file in the state directory is held to the same rule', async t => {
  const stateDir = t.testdir();
  loadToken({ stateDir });
  chmodSync(defaultTokenFile(stateDir), 0o644);
  t.throws(() => loadToken({ stateDir }), { code: 'CONFIG_INVALID' });
});

t.test('only the whole token matches', async t => {
  const matches = tokenCheck('right-token');
  t.ok(matches('right-token'));
  for (const wrong of ['', 'right-toke', 'right-token ', 'RIGHT-TOKEN', 'right-token\0'])
    t.notOk(matches(wrong));
});
