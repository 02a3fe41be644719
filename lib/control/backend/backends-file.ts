// `backends.json`: generations and slots, written in one piece before workers are told of them.

import { z } from 'zod';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';
import { loadState, readEntries, setAside } from './durable-file.ts';
import type { GenerationEntry } from './generations.ts';
import type { HeldSlot } from './slots.ts';

const count = z.int().min(0);
const StoredGeneration = z.object({
  cluster: z.string(),
  id: z.string(),
  generation: count,
  reason: z.enum(['first', 'drain', 'failover', 'maintenance', 'removed', 'replaced']),
  goneAtMs: z.number().nullable(),
});
const StoredSlot = z.object({
  owner: z.string(),
  index: count,
  generation: count,
  retired: z.boolean(),
});
const StoredHead = z.object({ writer: z.string(), floor: count, lastSlotGeneration: count });

export interface BackendsContent {
  /** Slots mean something only in the process whose scoreboard they name. */
  readonly writer: string;
  /** See Generations. */
  readonly floor: number;
  readonly lastSlotGeneration: number;
  readonly generations: readonly GenerationEntry[];
  readonly slots: readonly HeldSlot[];
}

/**
 * Reads what can be read. When anything was lost the floor becomes the time of day in seconds: higher than any
 * generation counted up from 1, so that none falls although we do not know it.
 */
export function loadBackends(path: string, wallMs: number, log: Log): BackendsContent {
  const { content, damaged } = loadState(path, log);
  const head = StoredHead.safeParse(content);
  const generations = readEntries(content, 'generations', entry => StoredGeneration.safeParse(entry).data);
  const slots = readEntries(content, 'slots', entry => StoredSlot.safeParse(entry).data);
  const partly = content !== undefined && (!head.success || generations.damaged > 0 || slots.damaged > 0);
  if (partly) {
    log.error(`${path} is damaged in part: what can be read is used; the file is kept as ${path}.bad`, {
      path,
    });
    setAside(path, log);
  }
  const lost = damaged || (partly && (!head.success || generations.damaged > 0));
  const known = head.data ?? { writer: '', floor: 0, lastSlotGeneration: 0 };
  return {
    writer: known.writer,
    floor: lost ? Math.max(known.floor, Math.floor(wallMs / 1000)) : known.floor,
    lastSlotGeneration: head.success ? known.lastSlotGeneration : slotGenerationOf(damaged || partly, wallMs),
    generations: generations.entries,
    slots: slots.entries,
  };
}

/** What another process wrote meanwhile (two run during an upgrade); undefined when it is ours or unreadable. */
export function foreignBackends(path: string, ownName: string): BackendsContent | undefined {
  try {
    const content = readStateFile(path);
    const head = StoredHead.safeParse(content).data;
    if (head === undefined || head.writer === ownName) return undefined;
    const { entries } = readEntries(content, 'generations', entry => StoredGeneration.safeParse(entry).data);
    return { ...head, generations: entries, slots: [] };
  } catch {
    // It is about to be replaced whole; a damaged one was reported at start.
    return undefined;
  }
}

/** Throws when the disk does. */
export function saveBackends(path: string, content: BackendsContent): void {
  writeStateFile(path, { version: 1, ...content });
}

/** Lost figures begin again above all that can have been used: the board holds 31 bits, so seconds count from 2023. */
const slotGenerationOf = (lost: boolean, wallMs: number): number =>
  lost ? Math.max(0, Math.floor(wallMs / 1000) - 1_672_531_200) : 0;
