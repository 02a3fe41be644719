// Lost updates: a write says which state it was decided on, and is refused when that has changed since.

import type { Refusal } from './answer.ts';

/** The revision as an entity tag, as ETag carries it. It stands for the admin state, not for the live figures beside it. */
export const tagOf = (revision: number): string => `"${revision}"`;

/** Null when a write with this If-Match may go ahead. */
export function preconditionRefusal(ifMatch: string | undefined, revision: number): Refusal | null {
  if (ifMatch === undefined)
    return {
      status: 428,
      code: 'BAD_REQUEST',
      detail: `writes need If-Match: the ETag of what was read (now ${tagOf(revision)}), or * to write whatever it is`,
    };
  const wanted = ifMatch.trim();
  if (wanted === '*') return null;
  if (!/^"\d+"(\s*,\s*"\d+")*$/.test(wanted))
    return { status: 400, code: 'BAD_REQUEST', detail: 'If-Match must be * or an ETag such as "7"' };
  if (wanted.split(',').some(tag => tag.trim() === tagOf(revision))) return null;
  return {
    status: 412,
    code: 'CONFLICT',
    detail: `the state is at revision ${revision} by now, not ${wanted}: read it again and decide anew`,
  };
}
