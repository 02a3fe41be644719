// The difference between two configurations, by name, and what only a restart can change.

import t from 'tap';
import { diffConfig } from '../../lib/config/diff.ts';
import { Root } from '../../lib/config/proxy.ts';

const base = {
  listeners: [{ address: '127.0.0.1:8080' }],
  routes: [
    { name: 'api', match: { path: '/api' }, cluster: 'web' },
    { name: 'rest', cluster: 'web' },
  ],
  clusters: { web: { backends: ['http://127.0.0.1:9001'] } },
};
const config = (over: object = {}) => Root.parse({ ...base, ...over });

t.test('the same configuration read twice changes nothing', async t => {
  const { changes, needsRestart } = diffConfig(config(), config());
  t.same(changes, []);
  t.same(needsRestart, []);
});

t.test('added, changed and removed by name', async t => {
  const diff = diffConfig(
    config(),
    config({
      listeners: [{ address: ':8081' }],
      routes: [{ name: 'rest', cluster: 'web', timeout: '5s' }, { cluster: 'chat' }],
      clusters: {
        web: { backends: ['http://127.0.0.1:9001', 'http://127.0.0.1:9002'], retry: { attempts: 3 } },
        chat: {},
      },
      log: { level: 'debug' },
      via: 'edge',
    }),
  );
  t.same(diff.changes, [
    '+ listener :8081',
    '- listener 127.0.0.1:8080',
    '+ route route-2',
    '~ route rest: timeout',
    '- route api',
    '+ cluster chat',
    '~ cluster web: backends, retry',
    '~ via',
    '~ log: level',
  ]);
  t.same([...diff.clusters.added], ['chat']);
  t.same([...diff.clusters.changed], ['web']);
  t.same([...diff.routes.removed], ['api']);
  t.same([...diff.listeners.added], [':8081']);
});

t.test('routes that change places are told: the first that matches is taken', async t => {
  t.same(diffConfig(config(), config({ routes: [...base.routes].reverse() })).changes, ['~ order of routes']);
});

t.test('several listeners on port 0 are told apart', async t => {
  const two = config({ listeners: [{ address: ':0' }, { address: ':0' }] });
  const three = config({ listeners: [{ address: ':0' }, { address: ':0' }, { address: ':0' }] });
  t.same(diffConfig(two, three).changes, ['+ listener :0#3']);
});

t.test('workers, state.dir and max_backends wait for a restart and say so', async t => {
  const { changes, needsRestart } = diffConfig(
    config(),
    config({ workers: 2, state: { dir: '/s' }, max_backends: 10 }),
  );
  t.same([...changes].sort(), ['~ max_backends', '~ state: dir', '~ workers']);
  t.same(needsRestart, [
    'workers: auto → 2 takes effect with leaseway upgrade, or a restart',
    'max_backends: 4096 → 10 takes effect with leaseway upgrade, or a restart',
    'state.dir: default → /s takes effect with a restart (the lock of the folder is held)',
  ]);
});

t.test('secrets do not appear', async t => {
  const key = 'first-secret-first-secret-first-secret';
  t.same(diffConfig(config(), config({ leases: { keys: [key] } })).changes, ['~ leases: keys']);
});
