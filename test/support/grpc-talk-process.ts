// A Talk server in a process of its own, to be killed: prints its port.

import { TalkServer } from './grpc-talk.ts';

const server = await TalkServer.start();
console.log(server.port);
