// Who may ask what: the whole admission to the admin API as one pure decision.

import { hostOf, isLoopback } from './address.ts';
import type { Refusal } from './answer.ts';

export interface GuardRules {
  /** Only this machine can reach the bound address. */
  readonly loopback: boolean;
  readonly scheme: 'http' | 'https';
  /** As configured, without port; empty for every address. */
  readonly boundHost: string;
  /** Does one of our certificates speak for this name? Always false without TLS. */
  readonly certified: (host: string) => boolean;
  readonly tokenMatches: (presented: string) => boolean;
  /** Where the token is kept; told only on loopback, where the CLI reads it from there. */
  readonly tokenFile: string;
}

/** The part of a request that admission looks at. */
export interface Asked {
  readonly method: string;
  readonly host: string | undefined;
  readonly localAddress: string;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
  readonly authorization: string | undefined;
  /** The peer's certificate was verified against `admin.tls.client_ca`. */
  readonly certificate: boolean;
}

export const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** Null admits. Order: whose name was asked for, which page asks, who asks. */
export function refusalOf(asked: Asked, rules: GuardRules): Refusal | null {
  return hostRefusal(asked, rules) ?? originRefusal(asked, rules) ?? credentialRefusal(asked, rules);
}

/**
 * DNS rebinding: a page under a hostile name that suddenly resolves to us sends its own name in Host, and the
 * browser thinks it same-origin. Names that cannot be hostile pass: loopback ones, the address itself, the
 * configured host, and those our certificate speaks for. The port may differ (port forwarding).
 */
function hostRefusal({ host, localAddress }: Asked, rules: GuardRules): Refusal | null {
  const name = hostOf(host ?? '');
  if (name !== '') {
    if (isLoopback(name) || name === localAddress || name === rules.boundHost.toLowerCase()) return null;
    if (rules.certified(name)) return null;
  }
  return forbidden(
    `the Host ${JSON.stringify(host ?? '')} is not one of this admin API: ask by localhost, its address or its configured name`,
  );
}

/** Only pages that we served ourselves may call; no CORS header is ever sent either. */
function originRefusal(asked: Asked, rules: GuardRules): Refusal | null {
  const { origin, host, fetchSite, fetchMode, method } = asked;
  if (origin !== undefined && origin.toLowerCase() !== `${rules.scheme}://${host}`.toLowerCase())
    return forbidden(`pages of ${JSON.stringify(origin)} may not call this admin API`);
  // Browsers leave Origin out of plain GETs but not this. Following a link to us is harmless: the other page sees nothing.
  if (fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none') return null;
  if (method === 'GET' && fetchMode === 'navigate') return null;
  return forbidden('pages of other origins may not call this admin API');
}

/** A wrong token is refused even where none is needed, so that a mistake shows at once. */
function credentialRefusal({ method, authorization, certificate }: Asked, rules: GuardRules): Refusal | null {
  if (authorization !== undefined) {
    const presented = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1];
    if (presented !== undefined && rules.tokenMatches(presented)) return null;
    return unauthorized('this is not the token', rules, ', error="invalid_token"');
  }
  if (certificate || (rules.loopback && isRead(method))) return null;
  return unauthorized('send Authorization: Bearer TOKEN', rules);
}

const forbidden = (detail: string): Refusal => ({ status: 403, code: 'FORBIDDEN', detail });

const unauthorized = (what: string, { loopback, tokenFile }: GuardRules, error = ''): Refusal => ({
  status: 401,
  code: 'UNAUTHORIZED',
  detail: `${what}; the token is in ${loopback ? tokenFile : 'the file that admin.token_file names'}`,
  headers: { 'www-authenticate': `Bearer realm="leaseway"${error}` },
  ...(loopback && { members: { tokenFile } }),
});
