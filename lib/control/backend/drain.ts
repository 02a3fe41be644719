// When a backend's tunnels must begin to end, so that at the cluster's pace they are gone by the deadline.

import type { TunnelEnding } from '../../orders/messages.ts';

export interface TunnelHolder {
  readonly slot: number;
  readonly tunnels: number;
  /** Of them those that the planner of sessions moves (plan/session), at its own pace. */
  readonly planned: number;
  /** Unix ms; of one that is gone or taken out: since when it is known to be. */
  readonly endByMs: number;
  readonly out: boolean;
}

/** For orders to arrive and closing handshakes to finish. */
const MARGIN_MS = 2_000;
/** The planner is done ten seconds before a deadline, and at once with who is out; what it could not move then ends. */
const PLANNER_UNTIL_MS = 8_000;
const PLANNER_AFTER_MS = 5_000;

const isPlanners = ({ endByMs, out }: TunnelHolder, nowMs: number): boolean =>
  out ? nowMs - endByMs < PLANNER_AFTER_MS : endByMs - nowMs > PLANNER_UNTIL_MS;

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
  const slots: number[] = [];
  const spared: number[] = [];
  let perSecond = pacePerSecond;
  let ahead = 0;
  for (const holder of [...holders].sort((a, b) => a.endByMs - b.endByMs)) {
    const { slot, tunnels, planned, endByMs, out } = holder;
    const spares = isPlanners(holder, nowMs);
    const ending = tunnels - (spares ? planned : 0);
    if (ending <= 0) continue;
    ahead += ending;
    const leftMs = endByMs - nowMs - MARGIN_MS;
    const neededMs = (ahead / pacePerSecond) * 1000;
    if (leftMs > neededMs && !begun.has(slot)) continue;
    slots.push(slot);
    if (spares) spared.push(slot);
    if (!out && endByMs > nowMs) perSecond = Math.max(perSecond, ahead / (Math.max(1_000, leftMs) / 1000));
  }
  return slots.length === 0 ? undefined : { slots, spared, perSecond: Math.ceil(perSecond) };
}
