// Where an envelope's state waits between two connections of its session.

/** JSON-safe, so that any store can keep it. */
export interface EnvelopeState {
  /** Messages of the client, all up to this one. */
  readonly received: number;
  /** The last number given to a message for it. */
  readonly sent: number;
  /** What of these it has not acknowledged, in order: base64url. */
  readonly unacknowledged: readonly string[];
}

/** Shared by all backends that a session may meet. */
export interface EnvelopeStore {
  /** Reads and removes in one step: who has it is the only one who goes on from it. */
  take(session: string): Promise<EnvelopeState | null>;
  /** Has to be durable when it resolves: the client goes on elsewhere then. */
  put(session: string, state: EnvelopeState): Promise<void>;
}

/** For one process; the state that was put longest ago is forgotten first. */
export class MemoryEnvelopeStore implements EnvelopeStore {
  readonly #states = new Map<string, EnvelopeState>();
  readonly #maxSessions: number;

  constructor(maxSessions = 10_000) {
    this.#maxSessions = maxSessions;
  }

  async take(session: string): Promise<EnvelopeState | null> {
    const state = this.#states.get(session) ?? null;
    this.#states.delete(session);
    return state;
  }

  async put(session: string, state: EnvelopeState): Promise<void> {
    this.#states.delete(session);
    this.#states.set(session, state);
    if (this.#states.size > this.#maxSessions) this.#states.delete(this.#states.keys().next().value!);
  }
}
