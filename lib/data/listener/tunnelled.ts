// What is left of an HTTP/1 connection that became a tunnel. It may last for hours, and there may be tens of thousands.

import type { Socket } from 'node:net';
import type { Session } from './session.ts';

export class Tunnelled implements Session {
  readonly #socket: Socket;
  readonly #raw: Socket;

  constructor(socket: Socket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
  }

  get paced(): boolean {
    return false;
  }

  get tunnels(): number {
    return 1;
  }

  destroy(): void {
    this.#socket.destroy();
    this.#raw.destroy();
  }

  // Its time-outs and its end are the relay's business.
  sweep(): void {}
  drain(): void {}
}
