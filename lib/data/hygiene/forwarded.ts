// Who the client is when proxies stand in between, and what backends are told of it: Forwarded (RFC 7239) and X-Forwarded-*.

import type { ProxyConfig } from '../../config/proxy.ts';
import { NetworkSet } from '../../core/cidr.ts';
import { type Fields, fieldValue, joinedValue, type MutableFields } from '../../core/fields.ts';
import type { ClientConnection, RequestHead } from '../ports.ts';
import { parseAuthority } from '../router/authority.ts';
import { type Hop, readForwarded, readForwardedFor } from './hops.ts';

export type ForwardedMode = ProxyConfig['forwarded'];

/** The client as far as it can be believed. */
export interface Client {
  /** Rightmost hop that is not a trusted proxy; the peer when the peer is not one. */
  readonly address: string;
  /** What the client itself spoke. */
  readonly scheme: 'http' | 'https';
  /** The peer is a trusted proxy: what it says of the client is passed on. */
  readonly trusted: boolean;
}

export class Forwarding {
  readonly mode: ForwardedMode;
  readonly #trusted: NetworkSet | null;
  // Requests of one connection come in runs, and a look-up in a network set is dear beside the rest of the pass.
  #lastPeer = '';
  #lastTrusted = false;

  constructor(mode: ForwardedMode, trustedProxies: readonly string[]) {
    this.mode = mode;
    this.#trusted = trustedProxies.length === 0 ? null : new NetworkSet(trustedProxies);
  }

  client(connection: ClientConnection, head: RequestHead): Client {
    const peer = connection.remoteAddress;
    if (!this.#trusts(peer)) return { address: peer, scheme: head.scheme, trusted: false };
    const { fields } = head;
    let address = peer;
    let scheme: string = head.scheme;
    const hops = this.#hops(fields);
    for (let i = hops.length - 1; i >= 0; i--) {
      const hop = hops[i]!;
      if (hop.address === '') break; // unknown: what stands left of it was told to nobody we trust
      address = hop.address;
      if (hop.scheme !== '') scheme = hop.scheme;
      if (!this.#trusted!.has(address)) break;
    }
    // The nearest proxy's word is the last in the list; those before it may be the client's own.
    const told = joinedValue(fields, 'x-forwarded-proto');
    if (told !== undefined && this.mode !== 'forwarded')
      scheme = told
        .slice(told.lastIndexOf(',') + 1)
        .trim()
        .toLowerCase();
    return { address, scheme: scheme === 'https' || scheme === 'http' ? scheme : head.scheme, trusted: true };
  }

  #trusts(peer: string): boolean {
    if (this.#trusted === null) return false;
    if (peer !== this.#lastPeer) {
      this.#lastTrusted = this.#trusted.has(peer);
      this.#lastPeer = peer;
    }
    return this.#lastTrusted;
  }

  /**
   * A trusted proxy that writes one of the two formats passes the other on as its client sent it, so only one may count:
   * the one we are set to write, and the other only when that is absent.
   */
  #hops(fields: Fields): readonly Hop[] {
    const byX = joinedValue(fields, 'x-forwarded-for');
    const standard = joinedValue(fields, 'forwarded');
    if (byX === undefined && standard === undefined) return [];
    const useStandard = this.mode === 'forwarded' ? standard !== undefined : byX === undefined;
    return useStandard ? (readForwarded(standard!) ?? []) : readForwardedFor(byX!);
  }

  /** Adds what backends are told. Whatever came under these names has not been copied, except in mode off from a trusted peer. */
  write(
    out: MutableFields,
    head: RequestHead,
    connection: ClientConnection,
    client: Client,
    host: string,
  ): void {
    const { mode } = this;
    if (mode === 'off') return;
    if (mode !== 'forwarded') writeLegacy(out, head.fields, connection, client, host);
    if (mode !== 'x-forwarded') writeStandard(out, head.fields, connection, client, host);
  }
}

function writeLegacy(
  out: MutableFields,
  received: Fields,
  connection: ClientConnection,
  client: Client,
  host: string,
): void {
  const peer = connection.remoteAddress;
  const localPort = String(connection.localPort);
  if (!client.trusted) {
    out.push('X-Forwarded-For', peer, 'X-Forwarded-Proto', client.scheme);
    if (host !== '') out.push('X-Forwarded-Host', host);
    out.push('X-Forwarded-Port', localPort);
    return;
  }
  const before = joinedValue(received, 'x-forwarded-for') ?? legacyChain(joinedValue(received, 'forwarded'));
  out.push('X-Forwarded-For', before === '' ? peer : `${before}, ${peer}`);
  out.push('X-Forwarded-Proto', client.scheme);
  const told = parseAuthority(fieldValue(received, 'x-forwarded-host') ?? '')?.text ?? host;
  if (told !== '') out.push('X-Forwarded-Host', told);
  const port = fieldValue(received, 'x-forwarded-port');
  out.push('X-Forwarded-Port', port !== undefined && /^\d{1,5}$/.test(port) ? port : localPort);
}

function writeStandard(
  out: MutableFields,
  received: Fields,
  connection: ClientConnection,
  client: Client,
  host: string,
): void {
  const peer = node(connection.remoteAddress);
  const proto = connection.tls === null ? 'http' : 'https';
  const ours = `for=${peer}${host === '' ? '' : `;host=${quoteIfNeeded(host)}`};proto=${proto}`;
  let before = '';
  if (client.trusted) {
    const standard = joinedValue(received, 'forwarded');
    // Ours after something malformed would not parse either.
    if (standard !== undefined && readForwarded(standard) !== null) before = standard;
    else before = standardChain(joinedValue(received, 'x-forwarded-for'));
  }
  out.push('Forwarded', before === '' ? ours : `${before}, ${ours}`);
}

/** The hops of the other format, when the one that is to be written did not come. */
const legacyChain = (forwarded = ''): string =>
  (readForwarded(forwarded) ?? []).map(hop => hop.address || 'unknown').join(', ');

const standardChain = (forwardedFor = ''): string =>
  readForwardedFor(forwardedFor)
    .map(hop => `for=${hop.address === '' ? 'unknown' : node(hop.address)}`)
    .join(', ');

/** RFC 7239, section 6: IPv6 in brackets, and therefore in quotes. */
const node = (address: string): string => (address.includes(':') ? `"[${address}]"` : address);

const quoteIfNeeded = (text: string): string =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) ? text : `"${text}"`;
