// A client that has done nothing wrong: asks steadily beside every fault, and must see neither failure nor long delay.

import http from 'node:http';
import type { Test } from 'tap';

const EVERY_MS = 25;
/** Every so many requests one comes on a connection of its own. */
const FRESH_EVERY = 5;
/** Far under any time-out of the tests, far over what two busy cores cost. */
const BOUND_MS = 2000;
const ADDRESS = '127.0.99.99';

export class SteadyClient {
  readonly failures: string[] = [];
  answered = 0;
  worstMs = 0;
  readonly #port: number;
  readonly #boundMs: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #open = 0;
  #idle: (() => void) | null = null;

  constructor(port: number, boundMs = BOUND_MS) {
    this.#port = port;
    this.#boundMs = boundMs;
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
  }

  /** Checks what was seen so far. */
  unharmed(t: Test, least = 5): void {
    t.same(this.failures, [], 'the steady client saw no failure');
    t.ok(this.answered >= least, `the steady client was served (${this.answered} answers)`);
    t.ok(this.worstMs < this.#boundMs, `its longest wait was ${Math.round(this.worstMs)} ms`);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#open > 0) await new Promise<void>(resolve => (this.#idle = resolve));
    this.#agent.destroy();
  }

  #ask(): void {
    const since = performance.now();
    const fresh = this.#sent % FRESH_EVERY === 0;
    this.#sent += 1;
    this.#open += 1;
    const done = (failure: string): void => {
      if (failure === '') this.answered += 1;
      else this.failures.push(failure);
      this.worstMs = Math.max(this.worstMs, performance.now() - since);
      this.#open -= 1;
      if (this.#open === 0) this.#idle?.();
    };
    http
      .get(
        {
          port: this.#port,
          host: '127.0.0.1',
          path: '/steady',
          localAddress: ADDRESS,
          agent: fresh ? false : this.#agent,
        },
        response => {
          response.resume();
          response.on('close', () =>
            done(response.statusCode === 200 && response.complete ? '' : `status ${response.statusCode}`),
          );
        },
      )
      .on('error', error => done(error.message));
  }
}
