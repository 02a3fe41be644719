// Run as a process of its own: takes over the listening socket it inherited as descriptor 3 and answers `child`.

import { systemClock } from '../../lib/core/clock.ts';
import { silentLog } from '../../lib/core/log.ts';
import { Listener } from '../../lib/data/listener/listener.ts';
import { limitsWith, listenerEntry, openLedger, RecordingSink } from './listener-harness.ts';

const listener = new Listener({
  entry: listenerEntry(),
  limits: limitsWith(),
  ticketKeys: Buffer.alloc(48),
  handler: {
    request(incoming) {
      incoming.listen(new RecordingSink());
      incoming.answer({ status: 200, fields: ['Content-Length', '5'] }, false);
      incoming.write(Buffer.from('child'));
      incoming.end();
    },
    refused() {},
  },
  clock: systemClock,
  log: silentLog,
  clients: openLedger,
  ledger: { add() {} },
  index: 0,
  nextConnectionId: () => 1,
});
process.stdout.write(`${JSON.stringify(await listener.listen({ fd: 3 }))}\n`);
