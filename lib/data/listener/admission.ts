// Who may come in: bounds on connections in all and per client, over all workers.

import type { ListenerConfig } from '../../config/proxy.ts';
import { clientNetwork } from '../../core/cidr.ts';
import { hash32 } from '../../core/hash.ts';
import type { ClientLedger } from '../../scoreboard/ports.ts';

/** A place taken; given back once. */
export interface Place {
  leave(): void;
}

export class Admission {
  readonly #ledger: ClientLedger;
  readonly #listener: number;
  readonly #seed: number;

  /** `seed`: the same in all workers, unknown to clients, so that none can collide with another on purpose. */
  constructor(ledger: ClientLedger, listener: number, seed: number) {
    this.#ledger = ledger;
    this.#listener = listener;
    this.#seed = seed;
  }

  /** Null when the listener or the client has as many connections as it may. */
  enter(address: string, config: ListenerConfig): Place | null {
    const client = hash32(clientNetwork(address), this.#seed);
    if (
      !this.#ledger.enter(this.#listener, client, config.max_connections, config.max_connections_per_client)
    )
      return null;
    let inside = true;
    return {
      leave: () => {
        if (inside) this.#ledger.leave(this.#listener, client);
        inside = false;
      },
    };
  }
}
