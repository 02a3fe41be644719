// One move of a socket from a connection to another, make before break.
//
//   opening ──► resuming ──► ready ──────────► switched     the proxy closes the old connection at the count it was told
//      │           │           │ the proxy knows nothing of it, and the old one stands
//      └───────────┴───────────┴──► failed                  and the old one, if it stands, is used on
//
// A client that closed the old connection by itself would cut off what is on its way to it.

import type { MigrationRequestJson } from '../control/api/gen/leaseway/v1/lease_pb.ts';
import { ServiceError } from './connect.ts';
import type { LeaseLink } from './lease-link.ts';
import type { Leg, LegOwner } from './leg.ts';
import type { Platform } from './platform.ts';

const DEADLINE_MS = 10_000;

export interface Migrated {
  /** The proxy closed the old connection: nothing it had sent is missing. */
  readonly clean: boolean;
  readonly holdMs: number;
  /** Why, as the protocol names it. */
  readonly reason: string;
}

export interface MigrationOwner {
  open(ticket: string, owner: LegOwner): Leg;
  resumed(leg: Leg): Promise<boolean>;
  /** From now on nothing is sent on the old connection. */
  hold(): void;
  /** These two are of the new connection, once it is in use. */
  message(data: unknown): void;
  closed(code: number, reason: string, clean: boolean): void;
  migrated(leg: Leg, how: Migrated): void;
  failed(oldStands: boolean): void;
}

export class Migration {
  readonly leg: Leg;
  readonly #platform: Platform;
  readonly #link: LeaseLink;
  readonly #request: MigrationRequestJson;
  readonly #old: Leg;
  readonly #owner: MigrationOwner;
  readonly #untimer: () => void;
  #phase: 'opening' | 'resuming' | 'ready' | 'switched' | 'failed' = 'opening';
  #oldGone = false;
  #newGone = false;
  #heldSinceMs = 0;

  constructor(
    platform: Platform,
    link: LeaseLink,
    request: MigrationRequestJson,
    old: Leg,
    owner: MigrationOwner,
  ) {
    this.#platform = platform;
    this.#link = link;
    this.#request = request;
    this.#old = old;
    this.#owner = owner;
    this.#untimer = platform.after(request.deadlineMs || DEADLINE_MS, () => this.#late());
    this.#answer({ accepted: {} });
    this.leg = owner.open(request.ticket ?? '', {
      legOpened: leg => void this.#opened(leg),
      legMessage: data => owner.message(data),
      legClosed: (_leg, code, reason, clean) => {
        if (this.#phase === 'switched') return owner.closed(code, reason, clean);
        this.#newGone = true;
        // Once the proxy has the count, the old connection ends whatever we do: that is waited for.
        if (this.#phase !== 'ready') this.#fail(`the new connection closed: ${code} ${reason}`);
      },
    });
  }

  /** What is sent waits for the new connection. */
  get ready(): boolean {
    return this.#phase === 'ready';
  }

  oldClosed(clean: boolean): void {
    this.#oldGone = true;
    if (this.#phase !== 'ready') return;
    if (this.#newGone) this.#fail('both connections are lost');
    else this.#switch(clean);
  }

  /** Before it is ready: as if it had not begun. Nothing is told to the owner. */
  abandon(reason: string): void {
    this.#over('failed');
    this.leg.drop();
    this.#answer({ failed: { reason } });
  }

  async #opened(leg: Leg): Promise<void> {
    if (leg.protocol !== this.#old.protocol) return this.#fail('the new backend chose another subprotocol');
    this.#phase = 'resuming';
    const resumed = await this.#owner.resumed(leg);
    if (this.#phase !== 'resuming') return;
    if (!resumed) return this.#fail('the application did not resume');
    this.#phase = 'ready';
    this.#heldSinceMs = this.#platform.nowMs();
    this.#owner.hold();
    // What it was to be moved for has happened: the new connection is as good as any.
    if (this.#oldGone) return this.#switch(false);
    const ready = { sentMessages: String(this.#old.sent) };
    try {
      await this.#link.answer(this.#request.id ?? '', { ready });
    } catch (error) {
      // Whether the proxy has the count is certain only when it says that it does not want it.
      const refused = error instanceof ServiceError && error.code === 'not_found';
      if (refused && this.#phase === 'ready' && !this.#oldGone) this.#fail('the proxy has called it off');
    }
  }

  #switch(clean: boolean): void {
    const holdMs = this.#platform.nowMs() - this.#heldSinceMs;
    this.#over('switched');
    this.#answer({ switched: { clean, holdMs: Math.round(holdMs) } });
    const { reason = 'MIGRATION_REASON_UNSPECIFIED' } = this.#request;
    this.#owner.migrated(this.leg, { clean, holdMs, reason: String(reason) });
  }

  #late(): void {
    if (this.#phase !== 'ready') return this.#fail('it took too long');
    // Whatever the old connection still had to say is cut off.
    this.#old.drop();
    if (this.#newGone) {
      this.#oldGone = true;
      this.#fail('both connections are lost');
    } else this.#switch(false);
  }

  #fail(reason: string): void {
    if (this.#phase === 'switched' || this.#phase === 'failed') return;
    this.abandon(reason);
    this.#owner.failed(!this.#oldGone);
  }

  #over(phase: 'switched' | 'failed'): void {
    this.#phase = phase;
    this.#untimer();
  }

  #answer(answer: Parameters<LeaseLink['answer']>[1]): void {
    // Told for the proxy's plans and accounts; it finds out by its deadline otherwise.
    this.#link.answer(this.#request.id ?? '', answer).catch(() => {});
  }
}
