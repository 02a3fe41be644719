// Whether a WebSocket that says it comes from another backend does: the proxy's signature, its age and the session it is about.

import { type Clock, systemClock } from '../core/clock.ts';
import { RESUME_FIELD, SESSION_FIELD } from '../core/cooperation.ts';
import { type Resume, verifyResume } from '../plan/lease/resume.ts';

/** Of a handshake, as node:http has them: lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export type ResumeVerdict =
  /** A first connection. `session`: null when the proxy named none. */
  | { readonly kind: 'first'; readonly session: string | null }
  /** Moved from `resume.from`: load its state, and refuse what that backend still does under `resume.epoch`. */
  | { readonly kind: 'resumed'; readonly session: string; readonly resume: Resume }
  /** `forged`: not signed with a key that is known. `stale`: too old, or from the future. `other_session`: about another connection. */
  | { readonly kind: 'refused'; readonly why: 'forged' | 'stale' | 'other_session' };

export interface ResumeCheckOptions {
  /** Between the proxy's clock and this one, with the time of the handshake. Default 30,000. */
  readonly maxAgeMs?: number;
  readonly clock?: Pick<Clock, 'wallMs'>;
}

export class ResumeCheck {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #maxAgeMs: number;
  readonly #clock: Pick<Clock, 'wallMs'>;

  /** `keys`: what `resumeKey` derives from the lease keys, by their id. Keep the one before while keys rotate. */
  constructor(
    keys: ReadonlyMap<string, Uint8Array>,
    { maxAgeMs = 30_000, clock = systemClock }: ResumeCheckOptions = {},
  ) {
    this.#keys = keys;
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
  }

  check(headers: Headers): ResumeVerdict {
    const given = headers[RESUME_FIELD.toLowerCase()];
    const session = headers[SESSION_FIELD.toLowerCase()];
    if (given === undefined) return { kind: 'first', session: typeof session === 'string' ? session : null };
    const resume = typeof given === 'string' ? verifyResume(given, this.#keys) : null;
    if (resume === null) return { kind: 'refused', why: 'forged' };
    if (Math.abs(this.#clock.wallMs() - resume.atMs) > this.#maxAgeMs)
      return { kind: 'refused', why: 'stale' };
    if (resume.session !== session) return { kind: 'refused', why: 'other_session' };
    return { kind: 'resumed', session, resume };
  }
}
