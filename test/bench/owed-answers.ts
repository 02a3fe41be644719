// How backends of the benches answer: each message a while later, and all that are owed before the connection goes elsewhere.

import type { WebSocket } from 'ws';
import { onDrainNotice } from '../../lib/server/index.ts';

/** `delayMs` is asked once for each message. */
export function oweAnswers(socket: WebSocket, delayMs: () => number): void {
  const owed: string[] = [];
  const answer = (): void => {
    const text = owed.shift();
    if (text !== undefined) socket.send(text);
  };
  socket.on('error', () => {});
  socket.on('message', data => {
    owed.push(String(data));
    setTimeout(answer, delayMs());
  });
  onDrainNotice(socket, () => {
    while (owed.length > 0) answer();
  });
}
