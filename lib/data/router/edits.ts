// A route's changes to header fields: compiled once, applied after everything the proxy itself adds or removes.

import type { RouteConfig } from '../../config/proxy.ts';
import { isReservedField } from '../../core/connection-fields.ts';
import { LeasewayError } from '../../core/errors.ts';
import { type MutableFields, nameIs } from '../../core/fields.ts';

export interface CompiledEdits {
  /** Lower case: removed, and those that are set. */
  readonly gone: readonly string[];
  /** Flat: what is set and added, in that order. */
  readonly added: readonly string[];
}

/** Null when there is nothing to do. Throws CONFIG_INVALID for fields that are the proxy's own. */
export function compileEdits(edit: RouteConfig['request_headers'], where: string): CompiledEdits | null {
  for (const name of [...Object.keys(edit.set), ...Object.keys(edit.add), ...edit.remove])
    if (isReservedField(name.toLowerCase()))
      throw new LeasewayError('CONFIG_INVALID', `${where}: ${name} is written by the proxy alone`);
  const gone = [...edit.remove, ...Object.keys(edit.set)].map(name => name.toLowerCase());
  const added = [...Object.entries(edit.set), ...Object.entries(edit.add)].flat();
  return gone.length + added.length === 0 ? null : { gone, added };
}

export function applyEdits(fields: MutableFields, edits: CompiledEdits): void {
  if (edits.gone.length > 0) {
    let kept = 0;
    for (let i = 0; i < fields.length; i += 2) {
      if (isGone(edits.gone, fields[i]!)) continue;
      fields[kept] = fields[i]!;
      fields[kept + 1] = fields[i + 1]!;
      kept += 2;
    }
    fields.length = kept;
  }
  for (let i = 0; i < edits.added.length; i++) fields.push(edits.added[i]!);
}

function isGone(gone: readonly string[], name: string): boolean {
  for (let i = 0; i < gone.length; i++) if (nameIs(name, gone[i]!)) return true;
  return false;
}
