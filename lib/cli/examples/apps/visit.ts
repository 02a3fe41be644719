// One client in a room over one connection: gets every entry after the last it has, until the connection is to end.

import type { Room } from './room.ts';

const HISTORY = 20;
const MAX_LENGTH = 500;
const MAX_NAME_LENGTH = 30;

export class Visit {
  readonly #room: Room;
  readonly #backend: string;
  readonly #send: (text: string) => boolean;
  #seat: ReturnType<Room['hold']> | null = null;
  #at = 0;
  #left = false;

  /** `send` answers false when it could not. */
  constructor(room: Room, backend: string, send: (text: string) => boolean) {
    this.#room = room;
    this.#backend = backend;
    this.#send = send;
  }

  /** A session that another connection had goes on where that one was; a fresh one with the newest entries, and the total before them. */
  async begin(session: string, fresh: boolean): Promise<void> {
    const room = this.#room;
    const at = fresh ? null : await room.seat(session);
    if (this.#left) return;
    this.#seat = room.hold(session);
    const recent = room.since(Math.max(0, room.last - HISTORY));
    this.#at = at ?? room.last - recent.length;
    this.#seat.got(this.#at);
    const ahead = recent.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0);
    const from = at === null ? { at: this.#at, total: room.total - ahead } : {};
    this.#send(JSON.stringify({ hello: this.#backend, ...from }));
    room.listen(this.#pump);
    this.#pump();
  }

  /** A message of the client: who says it, and what. What is not understood is not for anybody. */
  said(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    const { by, value } = message as Record<string, unknown>;
    if (typeof by !== 'string') return;
    if (typeof value === 'string' || value === 1 || value === -1)
      this.#room.append(
        this.#backend,
        by.slice(0, MAX_NAME_LENGTH),
        typeof value === 'string' ? value.slice(0, MAX_LENGTH) : value,
      );
  }

  /** Nothing more is sent; whoever takes the session up goes on from here. */
  leave(): void {
    this.#left = true;
    this.#room.unlisten(this.#pump);
    this.#seat?.release();
  }

  readonly #pump = (): void => {
    for (const entry of this.#room.since(this.#at)) {
      if (this.#left || !this.#send(JSON.stringify(entry))) return;
      this.#at = entry.n;
      this.#seat!.got(entry.n);
    }
  };
}
