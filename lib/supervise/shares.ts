// How many workers there are, which of the inherited sockets each gets, and how each is to leave.

import { availableParallelism } from 'node:os';
import type { ProxyConfig } from '../config/proxy.ts';
import type { ListeningSocket } from '../orders/messages.ts';

/**
 * How long an idle kept-alive connection may bring one more request, whose answer then says that it is the last. With a successor
 * nothing presses; without one the process is awaited.
 */
const IDLE_MS = { upgrade: 5_000, shutdown: 1_000 } as const;

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

/** What each of so many workers is told when the process leaves; the pace is that of all together. */
export const drainShare = (
  { deadline, pace }: ProxyConfig['shutdown'],
  count: number,
  successor: boolean,
): { deadlineMs: number; pacePerSecond: number; idleMs: number } => ({
  deadlineMs: deadline,
  pacePerSecond: Math.ceil(pace / count),
  idleMs: Math.min(successor ? IDLE_MS.upgrade : IDLE_MS.shutdown, deadline / 2),
});
