// Is this address nobody's? A socket that shares its port (SO_REUSEPORT) would bind beside a stranger's and never say so.

import { createServer } from 'node:net';
import { parseAddress } from './address.ts';

/** Binds alone for a moment. Rejects with the system's error when the port is taken, shared or not. */
export function probeAddress(address: string): Promise<void> {
  const { host, port } = parseAddress(address);
  if (port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy());
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }), exclusive: true }, () =>
      server.close(() => resolve()),
    );
  });
}
