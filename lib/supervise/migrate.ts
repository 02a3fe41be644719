// Whether the kernel moves what is queued on a closing socket to the others that share its port.

import { readFileSync } from 'node:fs';

const PATH = '/proc/sys/net/ipv4/tcp_migrate_req';

/** Linux 5.14 and newer have the switch; where it is missing or cannot be read the answer is no. */
export function movesQueuedConnections(
  read: (path: string) => string = path => readFileSync(path, 'latin1'),
): boolean {
  try {
    return read(PATH).trim() === '1';
  } catch {
    return false;
  }
}
