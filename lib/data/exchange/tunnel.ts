// An accepted WebSocket becomes a live tunnel: joined, listed, counted until it ends, wherever it moves.

import type { Duplex } from 'node:stream';
import { type Fields, hasField } from '../../core/fields.ts';
import type { TraceContext } from '../../telemetry/emit.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import { Handover } from '../leases/handover.ts';
import type { AnswerHead, Incoming, Reason } from '../ports.ts';
import type { RelaySettings } from '../websocket/legs.ts';
import type { TunnelEnd } from '../websocket/live-tunnel.ts';
import { Relay } from '../websocket/relay.ts';
import type { Account } from './account.ts';
import { ClusterLegs, isCooperative } from './cluster-legs.ts';
import type { Plane } from './plane.ts';
import { maySwitch, migrateOf, type Outbound } from './prepare.ts';
import type { BroughtTicket } from './ticketed.ts';

/** What the tunnel is known by, where its bytes are entered, and what another backend would be asked. */
export interface TunnelFacts {
  readonly member: Member;
  readonly account: Account;
  readonly cluster: Cluster;
  readonly outbound: Outbound;
  readonly answer: AnswerHead;
  readonly trace: TraceContext;
  readonly key: number;
  /** That opened it; null without one. */
  readonly ticket: BroughtTicket | null;
  /** Id of its session's lease; empty without one. */
  readonly lease: string;
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
  const { clock, random, timers, ledger, tunnels, followed } = plane;
  const { account, cluster, member, ticket, key } = facts;
  const idleMs = plane.compiled.config.limits.tunnel_idle;
  let at = member;
  const moved = (to: Member): void => {
    ledger.tunnel(at.slot, -1);
    ledger.tunnel(to.slot, 1);
    if (facts.lease !== '')
      followed.moved({ cluster: cluster.name, lease: facts.lease, from: at.id, to: to.id });
    at = to;
  };
  const moves = movesOf(plane, facts, moved);
  const { answer } = facts;
  const relay = new Relay(
    incoming.tunnel(fields),
    { socket, rest },
    { idleMs, clock, timers, random, moves, cooperative: isCooperative(answer) },
  );
  const tunnel =
    ticket === null
      ? relay
      : new Handover(plane, relay, {
          ...{ cluster, member, key, ticket: ticket.ticket, connection: ticket.text },
        });
  ledger.tunnel(at.slot, 1);
  ledger.add('tunnels', 1);
  // The handshake was the request; from here on it is a connection.
  account.tunnelled();
  tunnels.add(tunnel, {
    client: account.client,
    route: account.route!.name,
    cluster: cluster.name,
    backend: member.id,
    slot: member.slot,
    reconnects: migrateOf(account.route!, cluster) === 'reconnect',
    session: ticket?.ticket.session ?? '',
  });
  relay.onClose(end => {
    ledger.tunnel(at.slot, -1);
    ledger.add('tunnels', -1);
    account.bytesIn = relay.bytesIn;
    account.bytesOut = relay.bytesOut;
    over(reasonOf(end));
  });
}

/** Null where it stays with its backend. */
function movesOf(plane: Plane, facts: TunnelFacts, moved: (to: Member) => void): RelaySettings | null {
  const { account, cluster, answer } = facts;
  // An extension that was agreed on with one backend has state there.
  if (!maySwitch(account.route!, cluster) || hasField(answer.fields, 'sec-websocket-extensions')) return null;
  const { mode, timeout, hold } = cluster.config.websocket;
  return {
    source: new ClusterLegs(plane, { ...facts, moved }),
    mode,
    dialMs: timeout,
    holdMs: hold.time,
    holdBytes: hold.bytes,
  };
}

/** How an open tunnel's end reads in the log. */
function reasonOf({ kind, detail }: TunnelEnd): Reason | null {
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
