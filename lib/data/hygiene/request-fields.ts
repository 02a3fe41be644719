// The fields of a request as a backend gets them: one pass over what came, then what the proxy itself has to say.

import type { ProxyConfig } from '../../config/proxy.ts';
import { fieldValue, type MutableFields, removeField } from '../../core/fields.ts';
import type { IdSource } from '../../core/ids.ts';
import { LEASE_COOKIE_PREFIX, type LeaseCarrier } from '../../plan/lease/carrier.ts';
import { removeCookie } from '../../plan/lease/cookie.ts';
import type { ClientConnection, Reason, RequestHead } from '../ports.ts';
import { applyEdits } from '../router/edits.ts';
import type { CompiledRoute } from '../router/route.ts';
import { namedByConnection, removeNamed } from './connection-options.ts';
import { FieldKinds, Kind } from './field-kinds.ts';
import { type Client, Forwarding } from './forwarded.ts';
import { countVia, viaEntry } from './via.ts';

export type HygieneConfig = Pick<ProxyConfig, 'via' | 'request_id' | 'forwarded' | 'trusted_proxies'>;

/** Who asks, under which id: known before the route is. */
export interface Caller extends Client {
  readonly requestId: string;
}

/** Tiers of proxies that share our name are fine; a request that met this many of us goes in circles. */
const MAX_OWN_VIA = 4;

const SANE_ID = /^[\w.:+/=@-]{1,128}$/;

export class RequestHygiene {
  readonly #via: string;
  readonly idField: string;
  readonly #idFieldLower: string;
  readonly #forwarding: Forwarding;
  readonly #kinds: FieldKinds;
  readonly #ids: IdSource;

  constructor(config: HygieneConfig, ids: IdSource) {
    this.#via = config.via;
    this.idField = config.request_id;
    this.#idFieldLower = config.request_id.toLowerCase();
    this.#forwarding = new Forwarding(config.forwarded, config.trusted_proxies);
    this.#kinds = new FieldKinds(config.request_id);
    this.#ids = ids;
  }

  /** The client behind trusted proxies, and the request's id: a trusted peer's own when it is sane, else a new one. */
  caller(connection: ClientConnection, head: RequestHead): Caller {
    const { address, scheme, trusted } = this.#forwarding.client(connection, head);
    const given = trusted ? fieldValue(head.fields, this.#idFieldLower) : undefined;
    const requestId = given !== undefined && SANE_ID.test(given) ? given : this.#ids.hex(16);
    return { address, scheme, trusted, requestId };
  }

  /**
   * Fields for the backend, Host first. `host` is that of the target, which the route may replace.
   * `carrier` is that of the cluster the request goes to: its header does not go on (query: removeParameter).
   */
  forward(
    connection: ClientConnection,
    head: RequestHead,
    host: string,
    caller: Caller,
    route: CompiledRoute,
    carrier: LeaseCarrier | null,
  ): MutableFields | Reason {
    const received = head.fields;
    const out: MutableFields = ['Host', route.host ?? host];
    const leaseCookie = carrier?.by === 'cookie' ? carrier.name : LEASE_COOKIE_PREFIX;
    const keepForwarded = caller.trusted && this.#forwarding.mode === 'off';
    let named: string[] | null = null;
    let cookies = '';
    let via = '';
    let trailers = false;
    let lengthSaid = false;
    for (let i = 0; i < received.length; i += 2) {
      const name = received[i]!;
      const value = received[i + 1]!;
      switch (this.#kinds.of(name)) {
        case Kind.keep:
          out.push(name, value);
          break;
        case Kind.connection:
          named = namedByConnection(value, named);
          break;
        case Kind.te:
          trailers ||= /(?:^|,)\s*trailers\s*(?:$|,)/i.test(value);
          break;
        case Kind.cookie: {
          // HTTP/2 clients send them apart, HTTP/1.1 servers expect one (RFC 9113, section 8.2.3).
          const kept = removeCookie(value, leaseCookie, LEASE_COOKIE_PREFIX);
          if (kept !== '') cookies = cookies === '' ? kept : `${cookies}; ${kept}`;
          break;
        }
        case Kind.via:
          via = via === '' ? value : `${via}, ${value}`;
          break;
        case Kind.contentLength:
          lengthSaid = true;
          break;
        case Kind.forwarded:
          if (keepForwarded) out.push(name, value);
          break;
        case Kind.claim:
          if (caller.trusted) out.push(name, value);
          break;
      }
    }
    if (via !== '' && countVia(via, this.#via) >= MAX_OWN_VIA)
      return { code: 'BAD_REQUEST', detail: `Via names ${this.#via} too often: a loop of proxies` };
    if (named !== null) removeNamed(out, named);
    if (cookies !== '') out.push('Cookie', cookies);
    if (trailers) out.push('TE', 'trailers');
    pushLength(out, head, lengthSaid);
    const entry = viaEntry(head.version, this.#via);
    out.push('Via', via === '' ? entry : `${via}, ${entry}`, this.idField, caller.requestId);
    this.#forwarding.write(out, head, connection, caller, host);
    if (carrier?.by === 'header') removeField(out, carrier.name);
    if (route.requestEdits !== null) applyEdits(out, route.requestEdits);
    return out;
  }
}

/** One Content-Length, from the length the adapter has checked, whatever the lines said; none when the length is unknown. */
function pushLength(out: MutableFields, head: RequestHead, said: boolean): void {
  const length = head.bodyLength;
  if (length > 0) out.push('Content-Length', String(length));
  else if (length === 0 && (said || expectsBody(head.method))) out.push('Content-Length', '0');
}

/** For these the absence of a body is worth saying (RFC 9110, section 8.6). */
const expectsBody = (method: string): boolean => method === 'POST' || method === 'PUT' || method === 'PATCH';
