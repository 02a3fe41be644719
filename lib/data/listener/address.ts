// Listen addresses as the configuration writes them: `host:port`, `[v6]:port`, `:port`.

/** Without a host every address is meant, IPv6 and IPv4 alike. */
export function parseAddress(address: string): { readonly host: string | undefined; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: host === '' ? undefined : host, port: Number(address.slice(colon + 1)) };
}
