// When a backend's tunnels must begin to end, so that at the cluster's pace they are gone by the deadline.

import type { TunnelEnding } from '../../orders/messages.ts';

export interface TunnelHolder {
  readonly slot: number;
  readonly tunnels: number;
  /** Unix ms; 0 for at once (gone, or taken out). */
  readonly endByMs: number;
}

/** For orders to arrive and closing handshakes to finish. */
const MARGIN_MS = 2_000;

/**
 * Long connections keep what they have as long as possible, so ending begins late: the holders share one pace, earliest
 * deadline first. A deadline too near for the pace raises it evenly, since a storm of reconnects at the end is worse.
 * What has begun goes on (`begun`), or a backend would flap between ending and not.
 */
export function tunnelsDue(
  holders: readonly TunnelHolder[],
  begun: ReadonlySet<number>,
  nowMs: number,
  pacePerSecond: number,
): TunnelEnding | undefined {
  const inOrder = holders.filter(holder => holder.tunnels > 0).sort((a, b) => a.endByMs - b.endByMs);
  const slots: number[] = [];
  let perSecond = pacePerSecond;
  let ahead = 0;
  for (const { slot, tunnels, endByMs } of inOrder) {
    ahead += tunnels;
    const leftMs = endByMs - nowMs - MARGIN_MS;
    const neededMs = (ahead / pacePerSecond) * 1000;
    if (leftMs > neededMs && !begun.has(slot)) continue;
    slots.push(slot);
    if (endByMs > nowMs) perSecond = Math.max(perSecond, ahead / (Math.max(1_000, leftMs) / 1000));
  }
  return slots.length === 0 ? undefined : { slots, perSecond: Math.ceil(perSecond) };
}
