// A process of its own that serves the admin API on the listening socket it was given as descriptor 3.

import { createAdminServer } from '../../lib/control/admin/server.ts';
import { systemClock } from '../../lib/core/clock.ts';
import { silentLog } from '../../lib/core/log.ts';
import { TOKEN } from './admin-fixture.ts';
import { FakeControl } from './fake-control.ts';

const server = createAdminServer({
  config: { address: '127.0.0.1:0' },
  token: TOKEN,
  tokenFile: '/state/admin-token',
  tls: null,
  actions: new FakeControl(),
  clock: systemClock,
  log: silentLog,
});
console.log(JSON.stringify(await server.listen({ fd: 3 })));
