// What workers and the control thread say to each other about leases that clients watch: a client's calls, its stream and its
// connections come to whichever worker the kernel chose.

/** What the client of a session is to hear, or the worker that tells it. */
export type LeaseNews =
  | {
      readonly kind: 'migration';
      readonly id: string;
      /** Tickets of the connection that is replaced, and of its successor. */
      readonly connection: string;
      readonly ticket: string;
      /** Of the order. */
      readonly reason: string;
      readonly deadlineMs: number;
    }
  | { readonly kind: 'status'; readonly status: BackendStatusNews }
  | { readonly kind: 'extension'; readonly termMs: number }
  /** Nothing has happened for a while. */
  | { readonly kind: 'heartbeat' }
  /** Its lease holds until then; for the worker alone. Unix ms. */
  | { readonly kind: 'extended'; readonly untilMs: number }
  /** Another stream has taken the place of this one; another number is another stream by now. */
  | { readonly kind: 'superseded'; readonly number: number };

export interface BackendStatusNews {
  readonly backend: string;
  readonly status: 'up' | 'draining' | 'down' | 'maintenance';
  /** Share of its capacity in use and foreseen; null while not known. */
  readonly load: number | null;
  readonly forecast: number | null;
}

export interface SessionNews {
  /** Id of the lease. */
  readonly session: string;
  readonly news: LeaseNews;
}

/** A stream by which a session is watched; its number is never used again by its worker. */
export interface LeaseStream {
  readonly session: string;
  readonly number: number;
}

/** What the client says of a migration. */
export type MigrationSaid =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'ready'; readonly sentMessages: number }
  | { readonly kind: 'switched'; readonly clean: boolean; readonly holdMs: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** A lease as its client gets it. */
export interface GrantedLease {
  readonly token: string;
  readonly session: string;
  readonly termMs: number;
}

export interface MigrationVerdict {
  /** False: there is no such migration (any more). */
  readonly known: boolean;
  /** At the new backend, once it has switched. */
  readonly lease: GrantedLease | null;
}

export interface MigrationAnswer {
  readonly migration: string;
  readonly session: string;
  readonly said: MigrationSaid;
  /** Who asks, and what it knows the question by. */
  readonly row: number;
  readonly requestId: number;
}

/** Control → worker. */
export type LeaseOrder =
  | { readonly kind: 'lease-news'; readonly items: readonly SessionNews[] }
  /** Nobody watches this session, so the migration is off. */
  | { readonly kind: 'lease-unheard'; readonly migrations: readonly string[] }
  /** From another worker; answered by `lease-answered`. */
  | { readonly kind: 'lease-answer'; readonly answer: MigrationAnswer }
  | { readonly kind: 'lease-answered'; readonly requestId: number; readonly verdict: MigrationVerdict }
  /** Tell the clients of the sessions there. */
  | { readonly kind: 'backend-status'; readonly slot: number; readonly status: BackendStatusNews };

/** Worker → control. */
export type LeaseReport =
  /** Streams of these sessions opened here, or closed. */
  | { readonly kind: 'lease-watch'; readonly streams: readonly LeaseStream[]; readonly on: boolean }
  /** For whichever worker watches them. */
  | { readonly kind: 'lease-news'; readonly items: readonly SessionNews[] }
  | { readonly kind: 'lease-answer'; readonly answer: MigrationAnswer }
  | {
      readonly kind: 'lease-answered';
      readonly row: number;
      readonly requestId: number;
      readonly verdict: MigrationVerdict;
    };
