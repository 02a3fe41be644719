// Sessions whose WebSocket went to another backend: their cookie still names the old one, and their next request goes where the
// WebSocket is.

import type { LeaseFollowed } from '../../orders/messages.ts';
import type { SessionLease } from '../../plan/lease/lease.ts';
import { TwoGenerations } from '../../plan/lease/two-generations.ts';

/** Clients that ask for nothing for so many moves stay with what their cookie says. */
const REMEMBERED = 20_000;
/** Backends that a session is known to have left; who comes from one before them stays there. */
const MOST_LEFT = 8;

interface Way {
  readonly cluster: string;
  readonly to: string;
  readonly left: readonly string[];
}

export class FollowedLeases {
  /** By lease. */
  readonly #ways = new TwoGenerations<Way | null>(REMEMBERED);
  #onMoved: (move: LeaseFollowed) => void = () => {};

  /** One listener: hears of what moved in this worker. */
  onMoved(listener: (move: LeaseFollowed) => void): void {
    this.#onMoved = listener;
  }

  /** A WebSocket of this worker has moved. */
  moved(move: LeaseFollowed): void {
    this.note([move]);
    this.#onMoved(move);
  }

  note(moves: readonly LeaseFollowed[]): void {
    for (const { cluster, lease, from, to } of moves) {
      const before = this.#ways.get(lease)?.left ?? [];
      const left = [...before.filter(backend => backend !== from && backend !== to), from];
      this.#ways.set(lease, { cluster, to, left: left.slice(-MOST_LEFT) });
    }
  }

  /** Backend its WebSocket is at, when the lease names one that that has left; null mostly. */
  leads({ cluster, id, backend }: SessionLease): string | null {
    if (this.#ways.size === 0) return null;
    const way = this.#ways.get(id);
    return way?.cluster === cluster && way.left.includes(backend) ? way.to : null;
  }

  /** A request of this session went elsewhere for a reason of its own: it is not brought back. */
  forget({ id }: SessionLease): void {
    if (this.#ways.size > 0 && this.#ways.get(id)) this.#ways.set(id, null);
  }
}
