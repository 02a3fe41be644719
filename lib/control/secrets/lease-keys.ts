// The secrets that sign lease tokens: the operator's, or one that is made once and kept.

import { createHash, randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';
import type { LeaseKey } from '../../orders/snapshot.ts';

const FILE = 'lease-keys.json';
const SECRET_BYTES = 32;

/**
 * Newest first, as configured. Without configured keys the state directory's is used, made at the first start: leases then survive restarts
 * and upgrades of this proxy, but several proxies that share clients need configured keys. `inUse`: the directory's secret as this process
 * has it; a file that has gone or is damaged is then written anew, and no lease ends.
 */
export function loadLeaseKeys(
  configured: readonly string[],
  directory: string,
  log: Log,
  inUse?: Uint8Array,
): readonly LeaseKey[] {
  if (configured.length > 0) return configured.map(text => keyOf(Buffer.from(text, 'utf8')));
  const path = join(directory, FILE);
  const kept = read(path, log, inUse !== undefined);
  if (kept !== undefined) return [keyOf(kept)];
  const secret = inUse === undefined ? randomBytes(SECRET_BYTES) : Buffer.from(inUse);
  try {
    writeStateFile(path, { secret: secret.toString('base64') });
  } catch (error) {
    log.warn('the lease key cannot be kept; leases end with this process', {
      path,
      reason: messageOf(error),
    });
  }
  return [keyOf(secret)];
}

/** Those in use, newest first; nothing is made. Throws NOT_FOUND where none has been made yet. */
export function readLeaseKeys(configured: readonly string[], directory: string): readonly LeaseKey[] {
  if (configured.length > 0) return configured.map(text => keyOf(Buffer.from(text, 'utf8')));
  const secret = keptSecret(join(directory, FILE));
  if (secret === undefined)
    throw new LeasewayError('NOT_FOUND', `no lease key in ${directory} yet: the first run makes one`);
  return [keyOf(secret)];
}

/** Undefined where there is none. Throws when it is damaged. */
function keptSecret(path: string): Buffer | undefined {
  const content = readStateFile(path) as { secret?: unknown } | undefined;
  if (content === undefined) return undefined;
  const secret = Buffer.from(String(content.secret), 'base64');
  if (secret.length !== SECRET_BYTES) throw new Error(`expected ${SECRET_BYTES} bytes`);
  return secret;
}

/** The id tells verifiers which key signed; 32 bits of a hash give nothing of the secret away. */
function keyOf(secret: Buffer): LeaseKey {
  return {
    id: createHash('sha256').update(secret).digest('hex').slice(0, 8),
    secret: new Uint8Array(secret),
  };
}

/** A damaged file is set aside, not overwritten: losing the key moves every client once, which an operator may still want to undo. */
function read(path: string, log: Log, inUse: boolean): Buffer | undefined {
  try {
    return keptSecret(path);
  } catch (error) {
    const then = inUse ? 'the one in use is written anew' : 'a new one is made and all leases begin anew';
    log.error(`the lease key cannot be read; ${then}`, {
      path,
      keptAs: `${path}.bad`,
      reason: messageOf(error),
    });
    try {
      renameSync(path, `${path}.bad`);
    } catch {
      // Unreadable and immovable: writing the new one will say so.
    }
    return undefined;
  }
}
