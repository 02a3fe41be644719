// Generations and slots together with their file: what must be on disk before workers hear of it.

import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { foreignBackends, loadBackends, saveBackends } from './backends-file.ts';
import { Generations } from './generations.ts';
import { SlotTable } from './slots.ts';

export interface LedgerSettings {
  readonly path: string;
  /** Names this process: the slots in the file are believed only if it wrote them. */
  readonly writer: string;
  readonly maxBackends: number;
  readonly idle: (slot: number) => boolean;
  readonly log: Log;
}

/** A disk that is full is said once a minute, not four times a second. */
const REPEAT_MS = 60_000;

export class Ledger {
  readonly generations: Generations;
  readonly slots: SlotTable;
  readonly #settings: LedgerSettings;
  #dirty = false;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: LedgerSettings, nowMs: number, wallMs: number) {
    this.#settings = settings;
    const { path, writer, maxBackends, idle, log } = settings;
    const read = loadBackends(path, wallMs, log);
    // Whoever is not found again by discovery has departed; until then it counts so.
    this.generations = new Generations(
      read.floor,
      read.generations.map(entry => ({ ...entry, goneAtMs: entry.goneAtMs ?? wallMs })),
    );
    const held = read.writer === writer ? read.slots : [];
    this.slots = new SlotTable(maxBackends, idle, read.lastSlotGeneration, held, nowMs);
  }

  /** Something is to be written. */
  touch(): void {
    this.#dirty = true;
  }

  /**
   * Writes when needed, after taking over what another process raised (two run during an upgrade). A disk in trouble is
   * logged and tried again at the next change: leases are affinity, and serving goes before remembering.
   */
  flush(nowMs: number): void {
    if (!this.#dirty) return;
    const { path, writer, log } = this.#settings;
    const foreign = foreignBackends(path, writer);
    if (foreign !== undefined) this.generations.absorb(foreign.floor, foreign.generations);
    try {
      saveBackends(path, {
        writer,
        floor: this.generations.floor,
        lastSlotGeneration: Math.max(this.slots.lastGeneration, foreign?.lastSlotGeneration ?? 0),
        generations: this.generations.entries(),
        slots: this.slots.held(),
      });
      this.#dirty = false;
    } catch (error) {
      if (nowMs - this.#failedAtMs >= REPEAT_MS) {
        log.error(`cannot write ${path}: ${messageOf(error)}; leases may not survive a restart`, { path });
        this.#failedAtMs = nowMs;
      }
    }
  }
}
