// A steady load on one path, which remembers who answered when: what health and discovery are judged by.

import http from 'node:http';

const LANES = 4;
const PAUSE_MS = 4;

export class Load {
  /** Anything but a 200. */
  readonly failures: string[] = [];
  /** Answers by the name that backends answer with. */
  readonly answers = new Map<string, number>();
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: LANES });
  readonly #url: { port: number; path: string };
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(port: number, path: string) {
    this.#url = { port, path };
    this.#lanes = Array.from({ length: LANES }, () => this.#lane());
  }

  of(name: string): number {
    return this.answers.get(name) ?? 0;
  }

  /** Requests answered so far, by whomever. */
  get total(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
    this.#agent.destroy();
  }

  async #lane(): Promise<void> {
    while (!this.#stopped) {
      await this.#ask();
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
    }
  }

  #ask(): Promise<void> {
    return new Promise(resolve => {
      const request = http.get({ host: '127.0.0.1', ...this.#url, agent: this.#agent }, response => {
        let body = '';
        response.on('data', chunk => {
          body += chunk;
        });
        response.on('close', () => {
          if (response.statusCode === 200) this.answers.set(body, this.of(body) + 1);
          else this.failures.push(`${response.statusCode} ${body}`);
          resolve();
        });
      });
      request.on('error', error => {
        this.failures.push(error.message);
        resolve();
      });
    });
  }
}
