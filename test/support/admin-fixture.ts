// An admin server on a free port with a fake control plane behind it, and a client that sends exactly what it is told.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { type AdminServer, createAdminServer } from '../../lib/control/admin/server.ts';
import type { AdminConfig, AdminSettings } from '../../lib/control/admin/settings.ts';
import type { AdminTls } from '../../lib/control/admin/tls.ts';
import { type Clock, systemClock } from '../../lib/core/clock.ts';
import { type Log, silentLog } from '../../lib/core/log.ts';
import { FakeControl } from './fake-control.ts';

export const TOKEN = 'a-token-for-tests-0123456789';

export interface Fixture {
  readonly control: FakeControl;
  readonly server: AdminServer;
  readonly port: number;
  readonly settings: AdminSettings;
  call(method: string, path: string, more?: CallOptions): Promise<Reply>;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Adds the token and If-Match: *. */
  readonly write?: boolean;
  readonly tls?: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername'>;
  readonly host?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was answered.
  readonly json: any;
}

export interface FixtureOptions {
  readonly config?: Partial<AdminConfig>;
  readonly tls?: AdminTls | null;
  readonly tokenFile?: string;
  readonly control?: FakeControl;
  readonly clock?: Clock;
  readonly log?: Log;
}

export async function adminFixture(
  t: { teardown(run: () => unknown): void },
  {
    config = {},
    tls = null,
    tokenFile = '/state/admin-token',
    control = new FakeControl(),
    clock = systemClock,
    log = silentLog,
  }: FixtureOptions = {},
): Promise<Fixture> {
  const settings: AdminSettings = {
    config: { address: '127.0.0.1:0', ...config },
    token: TOKEN,
    tokenFile,
    tls,
  };
  const server = createAdminServer({ ...settings, actions: control, clock, log });
  t.teardown(() => server.close());
  const { port } = await server.listen(settings.config);
  return {
    control,
    server,
    port,
    settings,
    call: (method, path, more = {}) => call(port, method, path, tls === null ? more : { tls: {}, ...more }),
  };
}

export function call(port: number, method: string, path: string, more: CallOptions = {}): Promise<Reply> {
  const { headers = {}, body, write = false, tls, host = '127.0.0.1' } = more;
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const all = {
    ...(write && { authorization: `Bearer ${TOKEN}`, 'if-match': '*' }),
    ...(payload !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
    }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const options = { host, port, method, path, headers: all, agent: false as const, ...tls };
    const request = tls === undefined ? httpRequest(options) : httpsRequest(options);
    request.on('error', reject);
    request.on('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text,
          json: isJson && text !== '' ? JSON.parse(text) : undefined,
        });
      });
    });
    request.end(payload);
  });
}
