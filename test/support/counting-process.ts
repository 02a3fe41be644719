// A counting backend in a process of its own, to be killed as a machine kills: `node counting-process.ts NAME`, says its URL.

import { CountingBackend } from './counting-backend.ts';

const backend = await CountingBackend.start(process.argv[2]!);
process.send!(backend.url);
