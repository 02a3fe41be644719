// Heads, targets and routes for the tests of routing and hygiene.

import { Route, type RouteConfig } from '../../../lib/config/proxy.ts';
import type { Fields } from '../../../lib/core/fields.ts';
import type { ClientConnection, RequestHead } from '../../../lib/data/ports.ts';
import { isReason, normalForm, type Target } from '../../../lib/data/router/normal-form.ts';

export const headOf = (over: Partial<RequestHead> = {}): RequestHead => ({
  method: 'GET',
  scheme: 'http',
  authority: 'example.org',
  target: '/',
  fields: [] as Fields,
  version: '1.1',
  protocol: '',
  bodyLength: 0,
  expectsContinue: false,
  ...over,
});

export const connectionOf = (over: Partial<ClientConnection> = {}): ClientConnection => ({
  id: 1,
  remoteAddress: '203.0.113.9',
  remotePort: 50000,
  localPort: 8080,
  listener: '127.0.0.1:8080',
  tls: null,
  ...over,
});

export function targetOf(target: string, over: Partial<RequestHead> = {}): Target {
  const normal = normalForm(headOf({ target, ...over }));
  if (isReason(normal)) throw new Error(`${target}: ${normal.detail}`);
  return normal;
}

/** A route as the configuration would hold it, with every default. */
export const routeOf = (route: unknown): RouteConfig => Route.parse(route);
