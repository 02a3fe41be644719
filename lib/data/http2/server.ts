// Turns accepted connections into HTTP/2 sessions.

import type { Accepted, Protocol, Session, SessionEnv } from '../listener/session.ts';
import { Http2Connection } from './connection.ts';

/** One per listener. */
export class Http2Server implements Protocol {
  readonly #env: SessionEnv;

  constructor(env: SessionEnv) {
    this.#env = env;
  }

  serve(accepted: Accepted): Session {
    return new Http2Connection(accepted, this.#env);
  }
}
