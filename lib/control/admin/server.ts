// The admin API: admission, route, body, precondition, action, answer; in this order for every request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { ListeningSocket } from '../../orders/messages.ts';
import { splitAddress } from './address.ts';
import { type Answer, problem, type Refusal, refusalFor } from './answer.ts';
import { Audit } from './audit.ts';
import { readBody } from './body.ts';
import { Endpoint, type ListenSource } from './endpoint.ts';
import { type GuardRules, isRead, refusalOf } from './guard.ts';
import type { ControlActions } from './ports.ts';
import { preconditionRefusal } from './revision.ts';
import { type Match, Router } from './router.ts';
import { type AdminSettings, assertMayBind, kindOf, rulesOf } from './settings.ts';
import { ROUTES } from './table.ts';
import { askedBy, send, targetOf } from './wire.ts';

export interface AdminServerOptions extends AdminSettings {
  readonly actions: ControlActions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AdminServer {
  /** Throws CONFIG_INVALID when the address is reachable from elsewhere and neither a token file nor client certificates are configured. */
  listen(source: ListenSource): Promise<ListeningSocket>;
  /** Applies new settings; resolves with the new socket when it had to bind anew, else with null. When it rejects the old settings stay, unless the old socket had to be closed first (same port). */
  update(settings: AdminSettings): Promise<ListeningSocket | null>;
  /** To a successor on the same socket. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const TOKEN_FILE = 'leaseway-token-file';

export function createAdminServer(options: AdminServerOptions): AdminServer {
  return new Server(options);
}

class Server implements AdminServer {
  readonly #actions: ControlActions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #audit: Audit;
  readonly #router = new Router(ROUTES);
  #settings: AdminSettings;
  #endpoint: Endpoint;
  #rules: GuardRules | null = null;

  constructor({ actions, clock, log, ...settings }: AdminServerOptions) {
    this.#actions = actions;
    this.#clock = clock;
    this.#log = log;
    this.#audit = new Audit(log, clock);
    this.#settings = settings;
    this.#endpoint = this.#newEndpoint(settings);
  }

  async listen(source: ListenSource): Promise<ListeningSocket> {
    const settings =
      'address' in source
        ? { ...this.#settings, config: { ...this.#settings.config, address: source.address } }
        : this.#settings;
    const socket = await bind(this.#endpoint, source, settings);
    this.#settings = settings;
    this.#rules = rulesOf(settings, this.#endpoint);
    return socket;
  }

  async update(settings: AdminSettings): Promise<ListeningSocket | null> {
    const before = this.#settings;
    if (kindOf(before) === kindOf(settings)) {
      assertMayBind(settings, this.#endpoint.bound.address);
      if (settings.tls !== null) this.#endpoint.renew(settings.tls);
      this.#settings = settings;
      this.#rules = rulesOf(settings, this.#endpoint);
      return null;
    }
    const old = this.#endpoint;
    const next = this.#newEndpoint(settings);
    // One port cannot be bound twice; another one is bound first, so that a failure leaves the old serving.
    const samePort =
      before.config.address === settings.config.address ||
      splitAddress(settings.config.address).port === old.bound.port;
    if (samePort) {
      assertMayBind(settings, splitAddress(settings.config.address).host);
      await old.close();
    }
    const socket = await bind(next, settings.config, settings);
    this.#endpoint = next;
    this.#settings = settings;
    this.#rules = rulesOf(settings, next);
    if (!samePort) await old.close();
    return socket;
  }

  leave(): Promise<void> {
    return this.#endpoint.leave();
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }

  #newEndpoint({ tls }: AdminSettings): Endpoint {
    return new Endpoint(tls, this.#clock, (request, response) => void this.#serve(request, response));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      const refusal = refusalFor(error);
      if (refusal.status >= 500)
        this.#log.error('admin request failed', { path: request.url, error: messageOf(error) });
      answer = problem(refusal);
    }
    this.#audit.record(request, answer.status);
    send(response, answer);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const method = request.method ?? '';
    const refusal = refusalOf(askedBy(request, this.#settings.tls?.clientCa !== undefined), this.#rules!);
    // Not before the route is known to exist is a token asked for: the table is public, and 404 and 405 help more than 401.
    if (refusal !== null && refusal.code !== 'UNAUTHORIZED') return problem(refusal);
    const { pathname, searchParams } = targetOf(request.url ?? '');
    const match = this.#router.find(method, pathname);
    if (match.kind !== 'route') return problem(missing(match, method, pathname));
    if (refusal !== null) return problem(refusal);
    const call = { params: match.params, query: searchParams, actions: this.#actions, routes: ROUTES };
    const timeoutMs = match.route.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    if (isRead(method)) {
      const answer = await this.#within(timeoutMs, match.route.run({ ...call, body: undefined }));
      const { loopback, tokenFile } = this.#rules!;
      // Whoever writes next can send the token at once; told where a 401 would tell it.
      if (!loopback || request.headers.authorization !== undefined) return answer;
      return { ...answer, headers: { ...answer.headers, [TOKEN_FILE]: encodeURI(tokenFile) } };
    }
    const body = await readBody(request);
    if ('refusal' in body) return problem(body.refusal);
    // After the body, so that nothing can happen between this and the action.
    const stale = preconditionRefusal(request.headers['if-match'], this.#actions.revision);
    if (stale !== null) return problem(stale);
    return this.#within(timeoutMs, match.route.run({ ...call, body: body.value }));
  }

  async #within(timeoutMs: number, work: Promise<Answer>): Promise<Answer> {
    const { promise, reject } = Promise.withResolvers<never>();
    using _timer = this.#clock.after(timeoutMs, () =>
      reject(new LeasewayError('DEADLINE', `not done within ${timeoutMs} ms; see the log and /v1/status`)),
    );
    return await Promise.race([work, promise]);
  }
}

async function bind(
  endpoint: Endpoint,
  source: ListenSource,
  settings: AdminSettings,
): Promise<ListeningSocket> {
  if ('address' in source) assertMayBind(settings, splitAddress(source.address).host);
  const socket = await endpoint.listen(source, settings.config.address);
  try {
    // An inherited socket is judged by where it really is.
    assertMayBind(settings, endpoint.bound.address);
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  return socket;
}

function missing(match: Exclude<Match, { kind: 'route' }>, method: string, path: string): Refusal {
  if (match.kind === 'none')
    return { status: 404, code: 'NOT_FOUND', detail: `nothing is served at ${path}; GET / lists what is` };
  const allow = match.allow.join(', ');
  return {
    status: 405,
    code: 'METHOD_REFUSED',
    detail: `${method} is not served at ${path}: use ${allow}`,
    headers: { allow },
  };
}
