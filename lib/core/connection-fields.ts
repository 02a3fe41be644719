// The names of fields that belong to one connection or frame one message: no proxy passes them on, no route edits them.

/**
 * Connection-specific fields: RFC 9110, section 7.6.1, the de-facto Proxy-Connection, and HTTP2-Settings
 * (RFC 7540, section 3.2.1). `te` is here too: only `TE: trailers` is ever passed on.
 */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Fields that say where a message goes or where it ends: written by the proxy alone. */
const ROUTING_AND_FRAMING: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'trailer']);

/** True for the names (lower case) that a route's `set`, `add` and `remove` must leave alone. */
export const isReservedField = (lower: string): boolean =>
  CONNECTION_FIELDS.has(lower) || ROUTING_AND_FRAMING.has(lower) || lower.startsWith('leaseway-');
