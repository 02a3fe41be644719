// What the kernel says of queued connections, and what its silence means.

import t from 'tap';
import { movesQueuedConnections } from '../../lib/supervise/migrate.ts';

t.test('only a plain 1 is a yes', async t => {
  t.equal(
    movesQueuedConnections(() => '1\n'),
    true,
  );
  t.equal(
    movesQueuedConnections(() => '0\n'),
    false,
  );
  t.equal(
    movesQueuedConnections(() => {
      throw new Error('ENOENT');
    }),
    false,
  );
  t.type(movesQueuedConnections(), 'boolean');
});
