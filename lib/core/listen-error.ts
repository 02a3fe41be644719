// Why an address could not be bound, in words that say what to do.

import { messageOf } from './errors.ts';

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use: stop what listens there, or choose another port',
  EACCES: 'not permitted: ports under 1024 need the capability CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
};

export const listenError = (error: unknown): string =>
  WORDS[String((error as NodeJS.ErrnoException).code)] ?? messageOf(error);
