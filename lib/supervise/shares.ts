// How many workers there are, and which of the inherited sockets each gets.

import { availableParallelism } from 'node:os';
import type { ProxyConfig } from '../config/proxy.ts';
import type { ListeningSocket } from '../orders/messages.ts';

/** Several workers need a kernel that spreads connections over sockets of one port. */
export function workersFor(config: ProxyConfig, asked: number | undefined): number {
  if (process.platform !== 'linux') return 1;
  const configured = asked ?? config.workers;
  return Math.min(64, configured === 'auto' ? availableParallelism() : configured);
}

/** Of each address the sockets in turn, so that every worker has one where there are enough, and no upgrade adds any. */
export function shareOf(
  sockets: readonly ListeningSocket[],
  row: number,
  count: number,
): readonly ListeningSocket[] {
  const seen = new Map<string, number>();
  return sockets.filter(({ address }) => {
    const nth = seen.get(address) ?? 0;
    seen.set(address, nth + 1);
    return nth % count === row;
  });
}
