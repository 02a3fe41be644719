// Makes a connection of our own codec out of each socket that speaks HTTP/1.

import type { Accepted, Protocol, Session, SessionEnv } from '../../listener/session.ts';
import { NativeConnection } from './connection.ts';

export class NativeServer implements Protocol {
  readonly #env: SessionEnv;

  constructor(env: SessionEnv) {
    this.#env = env;
  }

  serve(accepted: Accepted): Session {
    return new NativeConnection(accepted, this.#env);
  }
}
