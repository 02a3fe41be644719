// Asks DNS for the addresses of a name: A and AAAA together, with the time they may be kept.

import { lookup, Resolver } from 'node:dns/promises';
import { messageOf } from '../../../core/errors.ts';

/** One family's answer. `failed` is trouble on the way; an empty list is the server's word that there is none. */
type FamilyAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface AddressAnswer {
  /** IPv4 first, each family sorted. */
  readonly addresses: readonly string[];
  /** The shortest of the records' times to live; 0 when there are none or the source has none. */
  readonly ttlMs: number;
  /** Set when nothing was found or a family could not be asked. */
  readonly problem: string | undefined;
}

/** Two tries of two seconds for each server. */
const QUERY = { timeout: 2_000, tries: 2 };

/** Words of the servers that mean "there is no such record", as opposed to "I could not find out". */
const NONE = new Set(['ENODATA', 'ENOTFOUND']);

export class AddressSource {
  readonly #name: string;
  readonly #resolver: Resolver;
  readonly #system: boolean;
  /** The last answer of each family, for when one of the two cannot be asked. */
  readonly #last: [readonly string[], readonly string[]] = [[], []];

  /** Without `servers` the system's are asked. Throws when a server is not `address:port`. */
  constructor(name: string, servers: readonly string[] | undefined) {
    this.#name = name;
    this.#resolver = new Resolver(QUERY);
    this.#system = servers === undefined || servers.length === 0;
    if (!this.#system) this.#resolver.setServers(servers!);
  }

  cancel(): void {
    this.#resolver.cancel();
  }

  async ask(): Promise<AddressAnswer> {
    const answers = await Promise.all([
      family(this.#resolver.resolve4(this.#name, { ttl: true })),
      family(this.#resolver.resolve6(this.#name, { ttl: true })),
    ]);
    const found = answers.flatMap((answer, index) => {
      if (answer.kind === 'addresses') this.#last[index] = answer.addresses;
      else if (answer.kind === 'none') this.#last[index] = [];
      return this.#last[index]!;
    });
    const failed = answers.find(answer => answer.kind === 'failed');
    // Both failing is no answer at all, whatever the families said last.
    if (found.length === 0 || answers.every(answer => answer.kind === 'failed')) {
      const word = failed ?? answers.find(answer => answer.kind === 'none');
      return this.#fromHosts(word?.reason ?? 'no addresses');
    }
    const ttls = answers.flatMap(answer => (answer.kind === 'addresses' ? [answer.ttlMs] : []));
    return { addresses: found, ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls), problem: failed?.reason };
  }

  /** The hosts file and search domains are known to the system's own look-up alone, which tells no time to live. */
  async #fromHosts(reason: string): Promise<AddressAnswer> {
    if (!this.#system) return { addresses: [], ttlMs: 0, problem: reason };
    try {
      const found = await lookup(this.#name, { all: true, order: 'ipv4first' });
      return { addresses: [...new Set(found.map(({ address }) => address))], ttlMs: 0, problem: undefined };
    } catch {
      return { addresses: [], ttlMs: 0, problem: reason };
    }
  }
}

async function family(
  query: Promise<readonly { readonly address: string; readonly ttl: number }[]>,
): Promise<FamilyAnswer> {
  try {
    const records = await query;
    if (records.length === 0) return { kind: 'none', reason: 'no addresses' };
    return {
      kind: 'addresses',
      addresses: [...new Set(records.map(({ address }) => address))].sort(),
      ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000,
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return { kind: NONE.has(code) ? 'none' : 'failed', reason: messageOf(error) };
  }
}
