// The options of every command that talks to a running leaseway, and the client they amount to.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { isLoopback, splitAddress } from '../control/admin/address.ts';
import { readToken } from '../control/admin/token.ts';
import { messageOf } from '../core/errors.ts';
import { EXIT } from '../core/exit-codes.ts';
import { AdminClient } from './admin-client.ts';
import { adminOfConfig } from './config-path.ts';
import { CliFailure } from './failure.ts';
import type { CliIo } from './io.ts';

export interface AdminOptions {
  readonly admin?: string;
  readonly tokenFile?: string;
  readonly config?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly json?: boolean;
}

const DEFAULT_URL = 'http://127.0.0.1:9900';
const DEFAULT_TOKEN_NAME = 'admin-token';

export const withAdminOptions = (command: Command): Command =>
  command
    .option('--admin <url>', `admin API (LEASEWAY_ADMIN; ${DEFAULT_URL})`)
    .option('--token-file <file>', 'file with the admin token (else LEASEWAY_TOKEN, else found by itself)')
    .option('--config <path>', 'configuration of the leaseway that is meant: tells address and token')
    .option('--ca <file>', 'PEM file of the authority of an https admin API')
    .option('--cert <file>', 'PEM file of a client certificate')
    .option('--key <file>', 'PEM file of its key')
    .option('--json', 'print JSON');

export async function adminClient(options: AdminOptions, io: CliIo): Promise<AdminClient> {
  const ofConfig = options.config === undefined ? undefined : await adminOfConfig(options.config, io.env);
  const configured = ofConfig?.address && urlOfAddress(ofConfig.address, ofConfig.tls);
  const url = parsedUrl(options.admin ?? (io.env.LEASEWAY_ADMIN || configured || DEFAULT_URL));
  const token =
    options.tokenFile === undefined
      ? io.env.LEASEWAY_TOKEN || (ofConfig && attempt(() => readToken(ofConfig.tokenFile)))
      : tokenFrom(options.tokenFile);
  return new AdminClient({
    url,
    token,
    tokenAt: tokenFile => (isLoopback(hostOf(url)) ? tokenToldOf(tokenFile) : undefined),
    tls: {
      ...(options.ca !== undefined && { ca: pem(options.ca) }),
      ...(options.cert !== undefined && { cert: pem(options.cert) }),
      ...(options.key !== undefined && { key: pem(options.key) }),
    },
    clock: io.clock,
  });
}

/**
 * The API says where it keeps its token. Only files that leaseway itself names so are believed: whoever else sits
 * on that port must not make us read it a secret of another kind.
 */
const tokenToldOf = (tokenFile: string): string | undefined =>
  basename(tokenFile) === DEFAULT_TOKEN_NAME ? attempt(() => readToken(tokenFile)) : undefined;

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function tokenFrom(path: string): string {
  const token = readToken(path);
  if (token === undefined)
    throw new CliFailure(EXIT.usage, `there is no token file ${path}`, 'check --token-file');
  return token;
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/** Every address is reached by loopback. */
function urlOfAddress(address: string, tls: boolean): string {
  const { host, port } = splitAddress(address);
  const reachable = host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function parsedUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new CliFailure(EXIT.usage, `${JSON.stringify(text)} is no URL`, `write it like ${DEFAULT_URL}`);
}

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliFailure(EXIT.usage, `${path} cannot be read`, messageOf(error));
  }
}
