// The process of the example backends: three servers on the ports it is given.

import { systemClock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { ExamplesNotice } from '../examples.ts';
import { Shared } from './apps/serve.ts';
import { startBackend } from './backend.ts';

const tell = (notice: ExamplesNotice): void => void process.send?.(notice);

try {
  const shared = new Shared(systemClock);
  const servers = await Promise.all(
    process.argv
      .slice(2)
      .map((port, i) => startBackend(`backend-${i + 1}`, Number(port), systemClock, shared)),
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      // Ctrl-C reaches the whole foreground group; the proxy ends us when it has finished what is in flight.
      if (signal === 'SIGTERM') process.exit(0);
    });
  tell({ ports: servers.map(server => server.port) });
} catch (error) {
  tell({ error: messageOf(error) });
}
