// A backend of the roll: takes numbered messages, answers each a little later, heeds the drain notice, and tells at its end
// what it heard of whom. `node migrate-backend-process.ts PORT`; 0 takes a free one.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { heedDrainNotices } from '../../lib/server/index.ts';
import { Heard, type Run } from './migrate-sequence.ts';
import { oweAnswers } from './owed-answers.ts';

/** What it says: where it listens, then, when it was told to stop, all it heard by client. */
export type BackendSays =
  | { readonly port: number }
  | { readonly heard: readonly (readonly [string, Run[]])[] };

/** So that answers are owed when a notice comes. */
const LATE_MS = 10;
/** For the closing handshakes of whoever was still there. */
const CLOSING_MS = 50;
const GOING_AWAY = 1001;

const heard = new Map<string, Heard>();
const say = (what: BackendSays, said = () => {}): void => void process.send!(what, said);

const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
heedDrainNotices(websockets);
websockets.on('connection', (socket, request) => {
  const client = request.url!;
  const log = heard.get(client) ?? new Heard();
  heard.set(client, log);
  socket.on('message', data => log.note(Number(data)));
  oweAnswers(socket, () => LATE_MS);
});

const server = createServer((_request, response) => response.end('ok\n'));
server.on('upgrade', (request, socket, head) =>
  websockets.handleUpgrade(request, socket, head, client => websockets.emit('connection', client, request)),
);
server.listen(Number(process.argv[2]), '127.0.0.1', 4096, () =>
  say({ port: (server.address() as AddressInfo).port }),
);

// As a program that ends in order does: it says good-bye to whoever is still there.
process.on('message', () => {
  server.close();
  server.closeIdleConnections();
  for (const socket of websockets.clients) socket.close(GOING_AWAY);
  setTimeout(() => {
    say({ heard: [...heard].map(([client, { runs }]) => [client, runs] as const) }, () => process.exit());
  }, CLOSING_MS);
});
process.on('disconnect', () => process.exit());
