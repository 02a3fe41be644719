// What a backend is called when its configuration does not say: host and port of its URL.

import type { BackendConfig } from '../../config/cluster.ts';
import type { CapacityConfig } from '../../config/forecast.ts';

/** A backend with all that a configuration may leave out. */
export interface NamedBackend {
  readonly id: string;
  /** Scheme, host and port; no slash at the end. */
  readonly url: string;
  readonly weight: number;
  readonly capacity?: CapacityConfig | undefined;
}

/** `host:port`, with the scheme's port when the URL has none; IPv6 in brackets. */
function hostAndPort(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

export const named = (backend: BackendConfig): NamedBackend => ({
  id: backend.id ?? hostAndPort(backend.url),
  url: new URL(backend.url).origin,
  weight: backend.weight,
  ...(backend.capacity !== undefined && { capacity: backend.capacity }),
});
