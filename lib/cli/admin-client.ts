// Speaks the admin API for the commands. On node:http(s), which starts faster than fetch and takes client certificates.

import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { EXIT, type ExitCode } from '../core/exit-codes.ts';
import { CliFailure } from './failure.ts';

export interface AdminClientOptions {
  readonly url: URL;
  /** Sent with every request when known. */
  readonly token: string | undefined;
  /** Asked when a write needs a token and none is known; the API says where it keeps it. */
  readonly tokenAt: (tokenFile: string) => string | undefined;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly clock: Clock;
}

export interface Got<T> {
  readonly value: T;
  /** For If-Match. */
  readonly etag: string;
}

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

interface Wanted {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly ifMatch?: string;
  readonly timeoutMs?: number;
}

export class AdminClient {
  readonly #options: AdminClientOptions;
  #token: string | undefined;
  /** Where the API said that it keeps its token; null before it was asked, empty when it does not say. */
  #tokenFile: string | null = null;

  constructor(options: AdminClientOptions) {
    this.#options = options;
    this.#token = options.token;
  }

  async get<T>(path: string): Promise<Got<T>> {
    const { text, etag } = await this.#ask({ method: 'GET', path });
    return { value: parsed(text) as T, etag };
  }

  /** `ifMatch` is the ETag of what the decision was made on, or `*`. */
  async write<T>(wanted: Wanted & { readonly ifMatch: string }): Promise<T> {
    return parsed((await this.#ask(wanted)).text) as T;
  }

  async #ask(wanted: Wanted): Promise<{ text: string; etag: string }> {
    if (wanted.method !== 'GET') await this.#findToken();
    let answer = await this.#send(wanted);
    const tokenFile = answer.status === 401 ? problemOf(answer.text).tokenFile : undefined;
    if (this.#token === undefined && tokenFile !== undefined) {
      this.#token = this.#options.tokenAt(tokenFile);
      if (this.#token !== undefined) answer = await this.#send(wanted);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refused(answer.status, problemOf(answer.text), this.#token !== undefined);
  }

  /** A write without the token would be refused first, and logged as that. Who comes with a certificate needs none. */
  async #findToken(): Promise<void> {
    const { tls, tokenAt } = this.#options;
    if (this.#token !== undefined || tls.cert !== undefined) return;
    if (this.#tokenFile === null) await this.#send({ method: 'GET', path: '/livez' });
    if (this.#tokenFile) this.#token = tokenAt(this.#tokenFile);
  }

  #send(wanted: Wanted): Promise<{ status: number; text: string; etag: string }> {
    const { url, clock } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<{
      status: number;
      text: string;
      etag: string;
    }>();
    const request = this.#request(wanted);
    const timeoutMs = wanted.timeoutMs ?? TIMEOUT_MS;
    const timer = clock.after(timeoutMs, () =>
      request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    );
    request.on('error', error =>
      reject(
        new CliFailure(
          EXIT.unreachable,
          `no leaseway answers at ${url.origin} (${messageOf(error) || (error as NodeJS.ErrnoException).code})`,
          'start one with leaseway run, or say where it is with --admin or LEASEWAY_ADMIN',
        ),
      ),
    );
    request.on('response', (response: IncomingMessage) => {
      this.#tokenFile ??= decoded(response.headers['leaseway-token-file']);
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', error => request.destroy(error));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          etag: String(response.headers.etag ?? '*'),
        }),
      );
    });
    return promise.finally(() => timer[Symbol.dispose]());
  }

  #request({ method, path, body, ifMatch }: Wanted): ClientRequest {
    const { url, tls } = this.#options;
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      accept: 'application/json',
      'content-length': Buffer.byteLength(payload),
      ...(payload !== '' && { 'content-type': 'application/json' }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
    };
    const target = new URL(path, url);
    const request =
      url.protocol === 'https:'
        ? httpsRequest(target, { method, headers, agent: false, ...tls })
        : httpRequest(target, { method, headers, agent: false });
    return request.end(payload);
  }
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly tokenFile?: string;
}

function problemOf(text: string): Problem {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function decoded(field: string | string[] | undefined): string {
  try {
    return typeof field === 'string' ? decodeURI(field) : '';
  } catch {
    return '';
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliFailure(EXIT.unreachable, 'what answers is no leaseway', 'check --admin');
  }
}

const EXIT_BY_STATUS: Readonly<Record<number, ExitCode>> = {
  401: EXIT.refused,
  403: EXIT.refused,
  404: EXIT.notFound,
  409: EXIT.refused,
  412: EXIT.refused,
  422: EXIT.configInvalid,
  428: EXIT.refused,
};

function refused(status: number, { code, detail, tokenFile }: Problem, sentToken: boolean): CliFailure {
  if (code === undefined)
    return new CliFailure(
      EXIT.unreachable,
      `what answers is no leaseway (status ${status})`,
      'check --admin',
    );
  if (status === 401)
    return new CliFailure(
      EXIT.refused,
      sentToken ? 'the token was refused' : 'this needs the admin token',
      `give it by --token-file FILE or LEASEWAY_TOKEN${tokenFile === undefined ? '' : `; it is in ${tokenFile}`}`,
    );
  if (status === 412)
    return new CliFailure(EXIT.refused, 'somebody changed the state meanwhile', 'look again and repeat');
  return new CliFailure(EXIT_BY_STATUS[status] ?? EXIT.failed, detail ?? `refused with status ${status}`);
}
