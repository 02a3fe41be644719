// What a backend is told of a WebSocket session that comes to it from another: signed, so that it can believe it.
//
//   Leaseway-Resume: session="9f86d081884c7d65", from="chat-1", epoch=7, at=1760000000000, key="0a1b2c3d", mac="…"
//
// A dictionary of RFC 9651; `mac` is HMAC-SHA256, base64url, over all that stands before `, mac=`. Its key is derived from the lease key
// named by `key`, so a backend that is given the derived one can check resumes and sign nothing else.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from './token.ts';

/** A session on its way from one backend to another. */
export interface Resume {
  /** The same for all backends that the session meets: they get it as Leaseway-Session from the start. */
  readonly session: string;
  /** Id of the backend it comes from. */
  readonly from: string;
  /** That backend's durable generation as it left; what it still does under it is stale. */
  readonly epoch: number;
  /** Unix ms. */
  readonly atMs: number;
}

const PATTERN =
  /^(session="([0-9a-f]{1,32})", from="([\w.:[\]-]{1,255})", epoch=(\d{1,15}), at=(\d{1,15}), key="([0-9a-f]{8})"), mac="([\w-]{43})"$/;

/** What backends are given to check resumes with. */
export const resumeKey = (secret: Uint8Array): Buffer =>
  createHmac('sha256', secret).update('leaseway resume 1').digest();

/** Derived keys in one line, as an environment variable holds them: `ID:KEY,…`, base64url, in the order of the lease keys. */
export const writeResumeKeys = (keys: readonly SigningKey[]): string =>
  keys.map(({ id, secret }) => `${id}:${resumeKey(secret).toString('base64url')}`).join(',');

/** What `writeResumeKeys` wrote, by the id of the lease key. Throws RangeError. */
export function readResumeKeys(text: string): ReadonlyMap<string, Uint8Array> {
  return new Map(
    text
      .trim()
      .split(',')
      .map(entry => {
        const [, id, key] = /^\s*([0-9a-f]{8}):([\w-]{43})\s*$/.exec(entry) ?? [];
        if (id === undefined) throw new RangeError('resume keys: expected what leaseway resume-keys prints');
        return [id, Buffer.from(key!, 'base64url')];
      }),
  );
}

/** The field's value, signed with a lease key. */
export function signResume({ session, from, epoch, atMs }: Resume, { id, secret }: SigningKey): string {
  const said = `session="${session}", from="${from}", epoch=${epoch}, at=${Math.round(atMs)}, key="${id}"`;
  return `${said}, mac="${mac(said, resumeKey(secret)).toString('base64url')}"`;
}

/** What the field says, or null when it is not genuine. `keys` are derived ones, by the id of the lease key. Says nothing about its age. */
export function verifyResume(value: string, keys: ReadonlyMap<string, Uint8Array>): Resume | null {
  const parts = PATTERN.exec(value);
  if (parts === null) return null;
  const [, said, session, from, epoch, at, id, given] = parts;
  const key = keys.get(id!);
  if (key === undefined) return null;
  const bytes = Buffer.from(given!, 'base64url');
  if (bytes.length !== 32 || !timingSafeEqual(bytes, mac(said!, key))) return null;
  return { session: session!, from: from!, epoch: Number(epoch), atMs: Number(at) };
}

const mac = (said: string, key: Uint8Array): Buffer => createHmac('sha256', key).update(said).digest();
