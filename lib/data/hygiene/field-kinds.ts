// What a received field is to the proxy: decided once for each spelling of a name, then one look-up.

export const Kind = {
  /** Passed on as it came. */
  keep: 0,
  /** Ends here. */
  drop: 1,
  connection: 2,
  te: 3,
  cookie: 4,
  via: 5,
  contentLength: 6,
  /** The request id, under the name the configuration gives it. */
  requestId: 7,
  /** Rewritten by us: Forwarded and the X-Forwarded-* we send. */
  forwarded: 8,
  /** What only a proxy may say of a client: kept from trusted peers, dropped from all others. */
  claim: 9,
} as const;
export type FieldKind = (typeof Kind)[keyof typeof Kind];

const BY_NAME: readonly (readonly [string, FieldKind])[] = [
  ['host', Kind.drop], // written anew
  ['expect', Kind.drop], // answered here
  ['keep-alive', Kind.drop],
  ['proxy-connection', Kind.drop],
  ['transfer-encoding', Kind.drop],
  ['upgrade', Kind.drop],
  ['http2-settings', Kind.drop],
  // Credentials for a proxy: a reverse proxy is none that clients log in to (RFC 9110, section 11.7.2).
  ['proxy-authorization', Kind.drop],
  // httpoxy: CGI programs read it as the environment's HTTP_PROXY (CVE-2016-5385).
  ['proxy', Kind.drop],
  ['connection', Kind.connection],
  ['te', Kind.te],
  ['cookie', Kind.cookie],
  ['via', Kind.via],
  ['content-length', Kind.contentLength],
  ['forwarded', Kind.forwarded],
  ['x-forwarded-for', Kind.forwarded],
  ['x-forwarded-proto', Kind.forwarded],
  ['x-forwarded-host', Kind.forwarded],
  ['x-forwarded-port', Kind.forwarded],
  // RFC 9440
  ['client-cert', Kind.claim],
  ['client-cert-chain', Kind.claim],
  // Whose client it is, as proxies and CDNs say it …
  ['x-real-ip', Kind.claim],
  ['x-client-ip', Kind.claim],
  ['x-cluster-client-ip', Kind.claim],
  ['true-client-ip', Kind.claim],
  ['cf-connecting-ip', Kind.claim],
  ['fastly-client-ip', Kind.claim],
  ['x-envoy-external-address', Kind.claim],
  // … and which path it asked for: frameworks that believe these route by them, past our routes.
  ['x-original-url', Kind.claim],
  ['x-rewrite-url', Kind.claim],
  ['x-original-host', Kind.claim],
];

const CLAIM_PREFIXES = ['x-forwarded-', 'x-client-cert', 'x-ssl-', 'ssl-client-', 'x-amzn-mtls-'] as const;

/** Spellings remembered; beyond them a name is classified each time it comes, so a flood of new names costs time, not memory. */
const MAX_LEARNED = 1024;

const KNOWN: ReadonlyMap<string, FieldKind> = new Map(BY_NAME);

/** Of a name in lower case. */
export function kindOf(lower: string): FieldKind {
  const exact = KNOWN.get(lower);
  if (exact !== undefined) return exact;
  if (lower.startsWith('leaseway-')) return Kind.drop;
  for (const prefix of CLAIM_PREFIXES) if (lower.startsWith(prefix)) return Kind.claim;
  // CGI, WSGI and their kin cannot tell `_` from `-`: X_Real_IP is X-Real-IP to them, and a way around everything above.
  if (lower.includes('_') && kindOf(lower.replaceAll('_', '-')) !== Kind.keep) return Kind.drop;
  return Kind.keep;
}

/** kindOf, and the request id's field, remembered by spelling. */
export class FieldKinds {
  readonly #requestId: string;
  readonly #learned = new Map<string, FieldKind>();

  constructor(requestIdField: string) {
    this.#requestId = requestIdField.toLowerCase();
  }

  of(name: string): FieldKind {
    const known = this.#learned.get(name);
    if (known !== undefined) return known;
    const lower = name.toLowerCase();
    const isId = lower === this.#requestId || lower.replaceAll('_', '-') === this.#requestId;
    const kind = isId ? Kind.requestId : kindOf(lower);
    if (this.#learned.size < MAX_LEARNED) this.#learned.set(name, kind);
    return kind;
  }
}
