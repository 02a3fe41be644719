// The admin token: made once, kept in a file that nobody else can read, compared without telling how close a guess was.

import { createHash, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import { IdSource } from '../../core/ids.ts';

const MAX_TOKEN_BYTES = 1024;
const OTHERS = 0o077;

export interface TokenSource {
  /** `admin.token_file`, already absolute; it must exist. */
  readonly tokenFile?: string | undefined;
  readonly stateDir: string;
}

/** Where the token is kept when none is configured. */
export const defaultTokenFile = (stateDir: string): string => join(stateDir, 'admin-token');

/** Reads the token; makes it first when none is configured and there is none yet. Throws CONFIG_INVALID. */
export function loadToken({ tokenFile, stateDir }: TokenSource): string {
  if (tokenFile !== undefined) {
    const token = readToken(tokenFile);
    if (token === undefined)
      throw invalid(`${tokenFile} does not exist: write at least 16 random characters into it, mode 0600`);
    return token;
  }
  const path = defaultTokenFile(stateDir);
  const kept = readToken(path);
  if (kept !== undefined) return kept;
  createToken(path);
  const made = readToken(path);
  if (made === undefined) throw invalid(`${path} vanished as it was made`);
  return made;
}

/** The token in the file, or undefined when there is none. Throws CONFIG_INVALID when others can read it or it is no token. */
export function readToken(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw invalid(`${path} cannot be read (${messageOf(error)})`, error);
  }
  try {
    // Asked of the open file, not of the path: it cannot be exchanged in between.
    const { mode } = fstatSync(file);
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw invalid(`${path} is open to others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`);
    const text = readText(file, path);
    const token = text.trim();
    if (text.length > MAX_TOKEN_BYTES || !/^[A-Za-z0-9._~+/-]{16,}=*$/.test(token))
      throw invalid(`${path} holds no token: expected one line of 16 or more of A-Z a-z 0-9 . _ ~ + / -`);
    return token;
  } finally {
    closeSync(file);
  }
}

/** At most a byte more than may be. */
function readText(file: number, path: string): string {
  const bytes = Buffer.alloc(MAX_TOKEN_BYTES + 1);
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch (error) {
    throw invalid(`${path} cannot be read (${messageOf(error)})`, error);
  }
}

/** Linked into place whole: of two processes that start at once one wins, and neither reads half a token. */
function createToken(path: string): void {
  const ids = new IdSource();
  const temporary = `${path}.${ids.hex(8)}`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${ids.hex(32)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(temporary);
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Compares presented tokens with the right one in constant time. */
export function tokenCheck(token: string): (presented: string) => boolean {
  const right = digest(token);
  // Digests have one length, so not even the token's length is told.
  return presented => timingSafeEqual(right, digest(presented));
}

const invalid = (detail: string, cause?: unknown): LeasewayError =>
  new LeasewayError('CONFIG_INVALID', `admin.token_file: ${detail}`, cause);
