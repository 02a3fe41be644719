// What becomes of a session at its next request: pure, the same on every proxy, with its reason.
//
//   lease        backend up     draining         down, maintenance   unknown
//   none         grant          grant            grant               grant
//   in term      keep, renew    keep, renew      move                grant
//                shed: move     shed: move
//   lapsed       regrant        move             move                grant
//                shed: move
//   forgotten    grant          grant            grant               grant
//
// A generation below the backend's means that it was drained, failed over or revoked since: move.

import type { LeaseTerms, SessionLease } from './lease.ts';
import { isShed } from './shed.ts';

/** `unknown`: no backend of this name is in the cluster any more. */
export type BackendStanding = 'up' | 'draining' | 'down' | 'maintenance' | 'unknown';

export interface BackendView {
  readonly standing: BackendStanding;
  readonly generation: number;
  /** False while it is gated or has no weight: a lapsed lease is then not granted again. */
  readonly takesNew: boolean;
  /** Of 65,536: the dynamic leases whose place (see shed.ts) is below leave; 0 while it gives up none. */
  readonly shedFraction: number;
  readonly shedTurn: number;
  /** Term of the leases it is granted, when it is not that of the cluster; 0. */
  readonly leaseMs: number;
}

/**
 * keep: use its backend, send nothing. renew: use it and send a lease with a new term. regrant: the same for one that had lapsed.
 * grant: pick a backend, new lease. move: pick another backend, the lease follows under its id.
 */
export type SessionAction = 'keep' | 'renew' | 'regrant' | 'grant' | 'move';

export type SessionReason =
  | 'new'
  | 'in_term'
  | 'half_term'
  | 'lapsed'
  | 'forgotten'
  | 'unknown_backend'
  | 'down'
  | 'maintenance'
  | 'draining'
  | 'honoured'
  | 'superseded'
  | 'gated'
  | 'shed'
  | 'shortened';

export interface SessionDecision {
  readonly action: SessionAction;
  readonly reason: SessionReason;
}

const say = (action: SessionAction, reason: SessionReason): SessionDecision =>
  Object.freeze({ action, reason });

const NEW = say('grant', 'new');
const FORGOTTEN = say('grant', 'forgotten');
const UNKNOWN = say('grant', 'unknown_backend');
const DOWN = say('move', 'down');
const MAINTENANCE = say('move', 'maintenance');
const DRAINING = say('move', 'draining');
const HONOURED = say('keep', 'honoured');
const HONOURED_RENEW = say('renew', 'honoured');
const SUPERSEDED = say('move', 'superseded');
const GATED = say('move', 'gated');
const SHED = say('move', 'shed');
const SHORTENED = say('renew', 'shortened');
const REGRANT = say('regrant', 'lapsed');
const KEEP = say('keep', 'in_term');
const RENEW = say('renew', 'half_term');

/** Terms go up in steps of two: a lease of the step before is no reason to send a new one. */
const MUCH_LONGER = 4;

/** `lease` has been verified and is of this cluster; `backend` is the one it names. Allocates nothing. */
export function decideSession(
  lease: SessionLease | null,
  backend: BackendView,
  terms: LeaseTerms,
  wallMs: number,
): SessionDecision {
  if (lease === null) return NEW;
  const termMs = backend.leaseMs > 0 ? backend.leaseMs : terms.termMs;
  const grantedMs = lease.expiresMs - wallMs;
  // A term that was shortened since counts from now on, and so does a clock that stood ahead.
  const leftMs = Math.min(grantedMs, termMs);
  const lapsed = leftMs <= 0;
  if (-leftMs > terms.rememberMs) return FORGOTTEN;
  switch (backend.standing) {
    case 'unknown':
      return UNKNOWN;
    case 'down':
      return DOWN;
    case 'maintenance':
      return MAINTENANCE;
    case 'draining':
      if (lapsed || (lease.type === 'dynamic' && isShed(lease.id, backend))) return DRAINING;
      // The drain itself has raised the generation; the lease is brought up to it, or it would move when the drain is called off.
      if (lease.generation < backend.generation) return HONOURED_RENEW;
      return leftMs * 2 > termMs ? HONOURED : HONOURED_RENEW;
    case 'up':
      // A generation above ours is another proxy's newer word: the backend is the same.
      if (lease.generation < backend.generation) return SUPERSEDED;
      if (backend.shedFraction > 0 && lease.type === 'dynamic' && isShed(lease.id, backend)) return SHED;
      if (lapsed) return backend.takesNew ? REGRANT : GATED;
      // It was granted when all was calm, and it is not any more.
      if (grantedMs > MUCH_LONGER * termMs) return SHORTENED;
      return leftMs * 2 > termMs ? KEEP : RENEW;
  }
}
