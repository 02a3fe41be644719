// The lease as a query parameter, for clients that can set neither cookie nor header (WebSocket, EventSource).

/** The raw value of the first parameter of this name; `query` begins with `?` or is empty. A token needs no decoding. */
export function findParameter(query: string, name: string): string | null {
  const at = indexOfParameter(query, name);
  if (at < 0) return null;
  const end = query.indexOf('&', at);
  return query.slice(at + name.length + 1, end < 0 ? query.length : end);
}

/** The query without any parameter of this name, otherwise byte for byte; without its `?` when nothing is left. */
export function removeParameter(query: string, name: string): string {
  if (indexOfParameter(query, name) < 0) return query;
  const begins = `${name}=`;
  const kept = query
    .slice(1)
    .split('&')
    .filter(pair => !pair.startsWith(begins));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

function indexOfParameter(query: string, name: string): number {
  for (let at = query.indexOf(name, 1); at >= 0; at = query.indexOf(name, at + 1)) {
    const before = query.charCodeAt(at - 1);
    const bounded = at === 1 || before === 0x26;
    if (bounded && query.charCodeAt(at + name.length) === 0x3d) return at;
  }
  return -1;
}
