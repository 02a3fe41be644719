// What a reload may change about the admin API, and what follows from it.

import type { ProxyConfig } from '../../config/proxy.ts';
import { LeasewayError } from '../../core/errors.ts';
import { isLoopback, splitAddress } from './address.ts';
import type { Endpoint } from './endpoint.ts';
import type { GuardRules } from './guard.ts';
import type { AdminTls } from './tls.ts';
import { tokenCheck } from './token.ts';

export type AdminConfig = ProxyConfig['admin'];

/** What a reload may change. */
export interface AdminSettings {
  readonly config: AdminConfig;
  readonly token: string;
  /** Where the token is kept, for the advice in a 401. */
  readonly tokenFile: string;
  /** PEM texts of `config.tls`; null without it. */
  readonly tls: AdminTls | null;
}

/** Two settings of one kind need no new socket. */
export const kindOf = ({ config, tls }: AdminSettings): string =>
  JSON.stringify([
    config.address,
    tls !== null && [tls.clientCa !== undefined, tls.clientRequired, tls.handshakeTimeoutMs],
  ]);

/** `host` is the configured or the bound one. Throws CONFIG_INVALID. */
export function assertMayBind({ config, tls }: AdminSettings, host: string): void {
  if (isLoopback(host) || config.token_file !== undefined || tls?.clientCa !== undefined) return;
  throw new LeasewayError(
    'CONFIG_INVALID',
    `admin.address ${config.address} can be reached from elsewhere: set admin.token_file, or admin.tls with client_ca, or bind 127.0.0.1`,
  );
}

export const rulesOf = (settings: AdminSettings, endpoint: Endpoint): GuardRules => ({
  loopback: isLoopback(endpoint.bound.address),
  scheme: settings.tls === null ? 'http' : 'https',
  boundHost: splitAddress(settings.config.address).host,
  certified: host => endpoint.certifies(host),
  tokenMatches: tokenCheck(settings.token),
  tokenFile: settings.tokenFile,
});
