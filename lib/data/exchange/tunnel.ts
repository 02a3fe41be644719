// An accepted WebSocket becomes a live tunnel: joined, listed, counted until it ends.

import type { Duplex } from 'node:stream';
import type { Fields } from '../../core/fields.ts';
import type { Member } from '../cluster/member.ts';
import type { Incoming, Reason } from '../ports.ts';
import type { LiveTunnel, TunnelEnd } from '../websocket/live-tunnel.ts';
import { Tunnel } from '../websocket/tunnel.ts';
import type { Account } from './account.ts';
import type { Plane } from './plane.ts';

/** What the tunnel is known by, and where its bytes are entered. */
export interface TunnelFacts {
  readonly member: Member;
  readonly account: Account;
}

/** Accepts the client's side and joins it to the backend's; `over` hears once how it ended, null when it ended well. */
export function joinTunnel(
  plane: Plane,
  incoming: Incoming,
  facts: TunnelFacts,
  fields: Fields,
  socket: Duplex,
  rest: Uint8Array,
  over: (reason: Reason | null) => void,
): void {
  const idleMs = plane.compiled.config.limits.tunnel_idle;
  const { clock, random } = plane;
  const tunnel = new Tunnel(incoming.tunnel(fields), { socket, rest }, { idleMs, clock, random });
  watchTunnel(plane, facts, tunnel, over);
}

/** Lists and counts a tunnel that is open, whoever carries it. */
export function watchTunnel(
  plane: Plane,
  { member, account }: TunnelFacts,
  tunnel: LiveTunnel,
  over: (reason: Reason | null) => void,
): void {
  const { ledger, tunnels } = plane;
  ledger.tunnel(member.slot, 1);
  ledger.add('tunnels', 1);
  // The handshake was the request; from here on it is a connection.
  account.count();
  const { client, cluster } = account;
  tunnels.add(tunnel, {
    client,
    route: account.route!.name,
    cluster,
    backend: member.id,
    slot: member.slot,
  });
  tunnel.onClose(end => {
    ledger.tunnel(member.slot, -1);
    ledger.add('tunnels', -1);
    account.bytesIn = tunnel.bytesIn;
    account.bytesOut = tunnel.bytesOut;
    over(reasonOf(end));
  });
}

/** How an open tunnel's end reads in the log. */
export function reasonOf({ kind, detail }: TunnelEnd): Reason | null {
  switch (kind) {
    case 'closed':
    case 'ended':
      return null;
    case 'client_lost':
      return { code: 'CLIENT_GONE', detail };
    case 'idle':
      return { code: 'REQUEST_TIMEOUT', detail: `idle: ${detail}` };
    case 'destroyed':
      return { code: 'DRAINING', detail };
    default:
      return { code: 'ANSWER_CUT', detail };
  }
}
