// A WebSocket with HTTP/1.1 on both sides, carried by http-proxy: the exchange's part in it.

import type { Fields } from '../../core/fields.ts';
import { Outcome } from '../../scoreboard/ports.ts';
import type { AnswerHead, Incoming, Reason, UpstreamHead } from '../ports.ts';
import type { HttpProxyTunnel } from '../websocket/http-proxy-tunnel.ts';
import type { HttpProxyTunnels } from '../websocket/http-proxy-tunnels.ts';
import type { TunnelEnd } from '../websocket/live-tunnel.ts';
import type { Attempt } from './attempt.ts';
import type { Plane } from './plane.ts';
import { reasonOf, type TunnelFacts, watchTunnel } from './tunnel.ts';

/** What the carrying needs of its exchange. */
export interface ProxiedTunnelOwner {
  /** From here on the tunnel keeps time and answers the client. */
  handedOver(): void;
  tunnelAnswered(head: AnswerHead): Fields;
  tunnelOver(reason: Reason | null): void;
}

export class ProxiedTunnel {
  readonly #plane: Plane;
  readonly #owner: ProxiedTunnelOwner;
  readonly #attempt: Attempt;
  readonly #facts: TunnelFacts;
  #tunnel: HttpProxyTunnel | null = null;
  #watched = false;

  constructor(plane: Plane, owner: ProxiedTunnelOwner, attempt: Attempt, facts: TunnelFacts) {
    this.#plane = plane;
    this.#owner = owner;
    this.#attempt = attempt;
    this.#facts = facts;
  }

  /** Connects first; only then is the client's socket given away. A failure until then is the attempt's. */
  open(tunnels: HttpProxyTunnels, incoming: Incoming, head: UpstreamHead, headTimeoutMs: number): void {
    tunnels.connect((failure, connection) => {
      if (!this.#attempt.open) return void connection?.destroy();
      if (failure !== null || connection === null)
        return this.#attempt.fail({ code: failure!.code, detail: failure!.detail }, false);
      const { socket, rest } = incoming.rawUpgrade()!;
      this.#owner.handedOver();
      const idleMs = this.#plane.compiled.config.limits.tunnel_idle;
      const answered = (answer: AnswerHead): Fields => this.#answered(answer);
      this.#tunnel = tunnels.open({ connection, head, socket, rest, headTimeoutMs, idleMs, answered });
      this.#tunnel.onClose(end => this.#over(end));
    });
  }

  #answered(head: AnswerHead): Fields {
    this.#attempt.answeredElsewhere(head);
    const fields = this.#owner.tunnelAnswered(head);
    if (head.status === 101) {
      this.#watched = true;
      watchTunnel(this.#plane, this.#facts, this.#tunnel!, reason => this.#owner.tunnelOver(reason));
    }
    return fields;
  }

  /** An open tunnel's end is heard by who watches it; this is the end of one that never opened. */
  #over(end: TunnelEnd): void {
    if (this.#watched) return;
    const tunnel = this.#tunnel!;
    if (end.kind === 'refused') return this.#owner.tunnelOver(null);
    const reason = tunnel.reason ?? reasonOf(end);
    const blame = end.kind === 'failed' ? Outcome.failure : Outcome.cancelled;
    this.#attempt.abort(reason ?? { code: 'CLIENT_GONE', detail: end.detail }, blame);
    if (tunnel.status > 0) this.#facts.account.answered(tunnel.status);
    this.#owner.tunnelOver(reason);
  }
}
