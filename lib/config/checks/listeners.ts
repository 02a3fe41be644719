// Doors: what a listener or the admin address may not combine, and addresses that may stand only once.

import { isIP } from 'node:net';
import type { Draft } from '../draft.ts';
import { error, type Finding, type Path, warning } from '../problem.ts';
import type { ListenerTlsConfig } from '../proxy.ts';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/;
const ANY = new Set(['', '0.0.0.0', '[::]']);

const parts = (address: string): { host: string; port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).toLowerCase(), port: Number(address.slice(colon + 1)) };
};

const isLoopback = (address: string): boolean => LOOPBACK.test(parts(address).host);

export function checkListeners(draft: Draft): Finding[] {
  return [...addresses(draft), ...listeners(draft), ...admin(draft), ...trust(draft)];
}

function* addresses(draft: Draft): Generator<Finding> {
  const places: { path: Path; label: string; host: string; port: number }[] = [];
  for (const [i, listener] of draft.listeners.entries())
    if (listener !== undefined)
      places.push({
        path: ['listeners', i, 'address'],
        label: `listeners[${i}]`,
        ...parts(listener.address),
      });
  const own = draft.settings.admin;
  const path: Path = ['admin', 'address'];
  if (own !== undefined && draft.given(path)) places.push({ path, label: 'admin', ...parts(own.address) });
  // Not written, so it cannot be pointed at: whatever takes its address is.
  else if (own !== undefined) places.unshift({ path, label: 'admin, by default,', ...parts(own.address) });
  for (const [i, place] of places.entries()) {
    if (place.host !== '' && isIP(place.host.replace(/^\[|\]$/g, '')) === 0 && place.host !== 'localhost')
      yield error(place.path, {
        expected: 'an IP address of this machine, localhost, or nothing before the colon for every address',
        found: JSON.stringify(place.host),
      });
    // Port 0 asks the system for any free one.
    if (place.port === 0) continue;
    for (const other of places.slice(0, i)) {
      if (other.port !== place.port) continue;
      const same = other.host === place.host || (ANY.has(other.host) && ANY.has(place.host));
      if (same)
        yield error(place.path, { what: `${other.label} listens there already`, expected: 'another port' });
      else if (ANY.has(other.host) || ANY.has(place.host))
        yield warning(place.path, {
          what: `${other.label} listens on the same port, and one of the two on every address`,
          expected: 'another port, or one listener for both',
        });
      else continue;
      break;
    }
  }
}

function* listeners(draft: Draft): Generator<Finding> {
  for (const [i, listener] of draft.listeners.entries()) {
    if (listener === undefined) continue;
    const path: Path = ['listeners', i];
    if (listener.tls !== undefined) yield* clientAuth(listener.tls, [...path, 'tls']);
    const { proxy_protocol: mode, proxy_protocol_from: from } = listener;
    if (mode === 'required' && from.length === 0)
      yield error([...path, 'proxy_protocol'], {
        what: 'nobody may send the PROXY protocol that is required',
        expected: 'proxy_protocol_from with the load balancers in front',
        hint: 'write proxy_protocol_from: [10.0.0.0/8]',
      });
    if (mode === 'off' && from.length > 0)
      yield warning([...path, 'proxy_protocol_from'], {
        atKey: true,
        what: 'has no effect while proxy_protocol is off',
        expected: 'proxy_protocol: required',
      });
    for (const [j, protocol] of listener.protocols.entries())
      if (listener.protocols.indexOf(protocol) !== j)
        yield error([...path, 'protocols', j], { expected: 'each protocol once', found: protocol });
    if (
      listener.max_connections_per_client > listener.max_connections &&
      draft.given([...path, 'max_connections_per_client'])
    )
      yield error([...path, 'max_connections_per_client'], {
        expected: `at most max_connections (${listener.max_connections})`,
        found: String(listener.max_connections_per_client),
      });
  }
}

function* clientAuth(tls: ListenerTlsConfig, path: Path): Generator<Finding> {
  if (tls.client_auth !== 'none' && tls.client_ca === undefined)
    yield error([...path, 'client_auth'], {
      what: `client_auth: ${tls.client_auth} has no authority to check against`,
      expected: 'client_ca with a PEM file',
    });
  if (tls.client_auth === 'none' && tls.client_ca !== undefined)
    yield warning([...path, 'client_ca'], {
      atKey: true,
      what: 'clients are not asked for certificates',
      expected: 'client_auth: optional or required',
    });
}

function* admin(draft: Draft): Generator<Finding> {
  const own = draft.settings.admin;
  if (own === undefined) return;
  if (own.tls !== undefined) yield* clientAuth(own.tls, ['admin', 'tls']);
  if (isLoopback(own.address)) return;
  if (own.token_file === undefined && own.tls?.client_auth !== 'required')
    yield error(['admin', 'address'], {
      what: 'others than this machine could steer leaseway',
      expected: 'a loopback address, or token_file, or tls with client_auth: required',
      found: JSON.stringify(own.address),
    });
  else if (own.tls === undefined)
    yield warning(['admin', 'address'], {
      what: 'the admin token crosses the network unencrypted',
      expected: 'admin.tls, or a loopback address',
    });
}

function* trust(draft: Draft): Generator<Finding> {
  for (const [i, network] of (draft.settings.trusted_proxies ?? []).entries())
    if (/\/0$/.test(network))
      yield warning(['trusted_proxies', i], {
        what: 'every client is believed when it says who it is',
        expected: 'only the proxies in front',
      });
  const keys = draft.settings.leases?.keys ?? [];
  for (const [i, key] of keys.entries())
    if (keys.indexOf(key) !== i)
      yield error(['leases', 'keys', i], {
        what: `is the same secret as leases.keys[${keys.indexOf(key)}]`,
        expected: 'each secret once',
      });
}
