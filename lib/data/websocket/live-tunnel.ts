// What the rest of the proxy sees of a WebSocket connection, whoever carries it.

/**
 * closed: both sides ended it; client_lost, backend_lost: that side's connection broke; idle: nothing passed for too
 * long; ended: by `end`; destroyed: by `destroy`; refused: the backend answered something other than 101; failed:
 * there was no answer.
 */
export type TunnelEndKind =
  | 'closed'
  | 'client_lost'
  | 'backend_lost'
  | 'idle'
  | 'ended'
  | 'destroyed'
  | 'refused'
  | 'failed';

export interface TunnelEnd {
  readonly kind: TunnelEndKind;
  readonly detail: string;
}

/** How a move of a connection to another backend ended. */
export interface MoveResult {
  /**
   * moved: all the old backend sent before its Close came first. unclean: it died, or was cut, without one. failed: the
   * connection is where it was, or over.
   */
  readonly result: 'moved' | 'unclean' | 'failed';
  /** Backend it is at now, or was to be at. */
  readonly to: string;
  /** How long the client was held. */
  readonly holdMs: number;
  readonly why: string;
}

export interface LiveTunnel {
  /** From the client to the backend; framing included, TLS and HTTP/2 framing not. */
  readonly bytesIn: number;
  /** From the backend to the client. */
  readonly bytesOut: number;
  /** Whole messages both ways. */
  readonly messages: number;
  /** It can be moved right now. */
  readonly movable: boolean;
  /** Moves it, with null to any other backend; `onMoved` hears how that ended. False when it is not movable. */
  move(to: string | null, why: string): boolean;
  /** Hears of every move, also of those that the death of a backend begins. One listener. */
  onMoved(listener: (move: MoveResult, slot: number) => void): void;
  /**
   * Ends it in order: each side gets a Close frame with `code` (RFC 6455, section 7.4) as soon as the frame on its
   * way there is complete, and both connections are gone a second later at most. 1001 Going Away, 1012 Service Restart.
   */
  end(code: number): void;
  /** Both connections are gone at once. */
  destroy(): void;
  /** Each listener hears once, when both connections are closed; at once when they are. */
  onClose(listener: (end: TunnelEnd) => void): void;
}

/** The end of a tunnel, told once to everyone who asked. */
export class EndNotice {
  #end: TunnelEnd | null = null;
  /** As long as it has to be: there are as many of these as tunnels. */
  #listeners: readonly ((end: TunnelEnd) => void)[] = [];

  add(listener: (end: TunnelEnd) => void): void {
    if (this.#end === null) this.#listeners = [...this.#listeners, listener];
    else listener(this.#end);
  }

  tell(end: TunnelEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(end);
  }
}
