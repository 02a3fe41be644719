// Backends are the A and AAAA records of a name: asked again when their time to live is over, but not too often.

import { isIPv6 } from 'node:net';
import type { DiscoveryConfig } from '../../../config/cluster.ts';
import { sleep } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import type { NamedBackend } from '../identity.ts';
import type { Discovery } from '../ports.ts';
import { type AddressAnswer, AddressSource } from './addresses.ts';
import { changesBetween } from './changes.ts';
import { type DiscoverySettings, MAX_LISTED } from './settings.ts';

export type DnsSettings = NonNullable<DiscoveryConfig['dns']>;

/** A name that no longer answers is believed this long: most such troubles are the resolver's, not the backends'. */
const KEEP_MS = 10 * 60_000;
/** A record's own time to live is followed up to this. */
const MAX_WAIT_MS = 60 * 60_000;
/** Many clusters and proxies that started together should not ask together. */
const JITTER = 0.1;

export function dnsDiscovery(dns: DnsSettings, settings: DiscoverySettings): Discovery {
  const { clock, random, log, cluster } = settings;
  return {
    async *watch(signal) {
      let known: readonly NamedBackend[] = settings.known;
      let goodAtMs = clock.monotonicMs();
      let problem = '';
      const source = sourceOf(dns, settings);
      if (source === undefined) return;
      const cancel = (): void => source.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      while (!signal.aborted) {
        const answer = await source.ask();
        if (signal.aborted) return;
        if (answer.addresses.length > 0) {
          const next = backendsOf(dns, answer, settings);
          yield* changesBetween(known, next);
          known = next;
          goodAtMs = clock.monotonicMs();
        } else if (
          known.length > 0 &&
          clock.monotonicMs() - goodAtMs >= Math.max(KEEP_MS, 10 * dns.interval)
        ) {
          log.error(`${dns.name}: no answer for too long; its ${known.length} backends are given up`, {
            cluster,
          });
          yield* changesBetween(known, []);
          known = [];
        }
        problem = report(problem, answer, known.length);
        settings.answered();
        const waitMs = Math.min(MAX_WAIT_MS, Math.max(dns.interval, answer.ttlMs));
        await sleep(clock, waitMs * (1 + JITTER * random.next()), signal);
      }
    },
  };

  function report(before: string, { problem = '', addresses }: AddressAnswer, kept: number): string {
    if (problem === before) return before;
    if (problem === '') log.info(`${dns.name} answers again: ${addresses.length} addresses`, { cluster });
    else log.warn(`${dns.name}: ${problem}; cluster ${cluster} goes on with ${kept} backends`, { cluster });
    return problem;
  }
}

function sourceOf(
  dns: DnsSettings,
  { log, cluster, answered }: DiscoverySettings,
): AddressSource | undefined {
  try {
    return new AddressSource(dns.name, dns.servers);
  } catch (error) {
    log.error(`cluster ${cluster}: discovery.dns.servers: ${messageOf(error)}; expected address:port`, {
      cluster,
    });
    answered();
    return undefined;
  }
}

function backendsOf(
  { name, port, scheme }: DnsSettings,
  { addresses }: AddressAnswer,
  { log, cluster }: DiscoverySettings,
): readonly NamedBackend[] {
  if (addresses.length > MAX_LISTED)
    log.error(`${name} has ${addresses.length} addresses; only ${MAX_LISTED} are used`, { cluster });
  return addresses.slice(0, MAX_LISTED).map(address => {
    const host = isIPv6(address) ? `[${address}]` : address;
    const url = new URL(`${scheme}://${host}:${port}`);
    return { id: `${url.hostname}:${port}`, url: url.origin, weight: 1 };
  });
}
