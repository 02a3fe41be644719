// The drain notice: a WebSocket is to go elsewhere, so answer what is owed and say Close.

import { COOPERATIVE_FIELD, DRAIN_NOTICE } from '../core/cooperation.ts';

/** A server's end of a WebSocket as `ws` has it. */
export interface NoticedSocket {
  on(event: 'ping', listener: (data: Uint8Array) => void): unknown;
  close(code: number, reason: string): void;
}

/** `WebSocketServer` of `ws`. */
export interface HandshakeServer {
  on(event: 'headers', listener: (fields: string[]) => void): unknown;
}

const SERVICE_RESTART = 1012;
const INTERNAL_ERROR = 1011;

/** Says in each 101 that this backend heeds the notice. Call it once, and `onDrainNotice` for every socket. */
export function heedDrainNotices(server: HandshakeServer): void {
  server.on('headers', fields => void fields.push(`${COOPERATIVE_FIELD}: 1`));
}

/** At the notice `finish` sends what is owed; when it is done the socket is closed: 1012, or 1011 if it failed. A second notice is the first. */
export function onDrainNotice(socket: NoticedSocket, finish: () => void | Promise<void>): void {
  let noticed = false;
  socket.on('ping', data => {
    if (noticed || new TextDecoder().decode(data) !== DRAIN_NOTICE) return;
    noticed = true;
    Promise.resolve()
      .then(finish)
      .then(
        () => socket.close(SERVICE_RESTART, 'drained'),
        () => socket.close(INTERNAL_ERROR, 'not drained'),
      );
  });
}
