// Two applications whose users stay connected while their backend changes: a chat and a counter that all may count.
//
// `/chat/ws`, `/counter/ws`: WebSockets as a browser has them, for `websocket: { migrate: transparent }`. `/chat/sdk`, `/counter/sdk`: those of
// leaseway/client in the envelope, for `migrate: sdk`. A backend does three things for it: it says that it co-operates, it lets go at
// the drain notice, and it takes a session up where another left it.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import { COOPERATIVE_FIELD, RESUME_FIELD, SESSION_FIELD } from '../../../core/cooperation.ts';
import { EnvelopeServer, MemoryEnvelopeStore, onDrainNotice } from '../../../server/index.ts';
import { switchingAnswer } from '../frames.ts';
import { Room } from './room.ts';
import { AppSocket } from './socket.ts';
import { Visit } from './visit.ts';

/** What the backends share. */
export class Shared {
  readonly rooms: ReadonlyMap<string, Room>;
  readonly envelopes = new MemoryEnvelopeStore();

  constructor(clock: Clock) {
    this.rooms = new Map(['chat', 'counter'].map(app => [app, new Room(clock)]));
  }
}

export class Apps {
  readonly #backend: string;
  readonly #shared: Shared;
  readonly #envelopes: EnvelopeServer;

  constructor(backend: string, shared: Shared) {
    this.#backend = backend;
    this.#shared = shared;
    this.#envelopes = new EnvelopeServer({ store: shared.envelopes });
  }

  /** False when the handshake is not for an application. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const { pathname } = new URL(request.url ?? '/', 'http://backend');
    const [, app = '', how] = /^\/(\w+)\/(ws|sdk)$/.exec(pathname) ?? [];
    const room = this.#shared.rooms.get(app);
    const key = request.headers['sec-websocket-key'];
    if (room === undefined || key === undefined) return false;
    socket.write(switchingAnswer(key, `${COOPERATIVE_FIELD}: 1\r\n`));
    const connection = new AppSocket(socket, head);
    if (how === 'sdk') this.#enveloped(room, connection);
    else {
      const { [SESSION_FIELD.toLowerCase()]: session, [RESUME_FIELD.toLowerCase()]: resume } =
        request.headers;
      this.#plain(room, connection, String(session ?? randomUUID()), resume === undefined);
    }
    return true;
  }

  #plain(room: Room, socket: AppSocket, session: string, fresh: boolean): void {
    const visit = new Visit(room, this.#backend, text => socket.send(text));
    socket.on('message', data => visit.said(String(data)));
    socket.on('close', () => visit.leave());
    onDrainNotice(socket, () => visit.leave());
    void visit.begin(session, fresh);
  }

  #enveloped(room: Room, socket: AppSocket): void {
    let visit: Visit | null = null;
    this.#envelopes.serve(socket, {
      open: (conversation, fresh) => {
        visit = new Visit(room, this.#backend, text => conversation.send(text));
        void visit.begin(conversation.session, fresh);
      },
      message: (_, data) => visit!.said(String(data)),
      drain: () => visit?.leave(),
      close: () => visit?.leave(),
    });
  }
}
