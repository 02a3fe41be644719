// Load reports that come with the answers of one cluster: asked for, read, handed to the scoreboard, kept from clients.
//
// Null where a cluster does not use them, so that others pay a null check. One reading serves all reports: it is written out
// before the call returns.

import type { OrcaConfig } from '../../config/signals.ts';
import { type Fields, type MutableFields, nameIs, removeField, setField } from '../../core/fields.ts';
import { orcaNames } from '../../core/orca/names.ts';
import {
  BINARY_REPORT_FIELD,
  parseBinaryReport,
  parseReport,
  REPORT_FIELD,
  REPORT_FORMAT_FIELD,
} from '../../core/orca/parse.ts';
import { LoadReading } from '../../core/orca/reading.ts';
import type { WorkerLedger } from '../../scoreboard/ports.ts';
import { loadReport } from './orca-report.ts';
import type { Seat } from './seat.ts';

/** Whose report it is. */
interface Reporting {
  readonly slot: number;
  readonly slotGeneration: number;
  /** Where the cluster's policy learns of it, if it learns. */
  readonly seat: Seat | null;
}

export class OrcaIntake {
  readonly #passOn: boolean;
  readonly #format: string;
  readonly #names: ReadonlyMap<string, number>;
  readonly #ledger: Pick<WorkerLedger, 'reported'>;
  readonly #reading = new LoadReading();

  constructor(config: OrcaConfig, ledger: Pick<WorkerLedger, 'reported'>) {
    this.#passOn = config.pass_on;
    this.#format = config.format;
    this.#names = orcaNames(config.metrics);
    this.#ledger = ledger;
  }

  /** Tells the backend in which form it may report; a client's own wish does not count. */
  ask(fields: MutableFields): void {
    if (this.#format !== 'off') setField(fields, REPORT_FORMAT_FIELD, this.#format);
  }

  /** Header or trailer fields of an answer. Never throws. */
  heard(member: Reporting, fields: Fields): void {
    const reading = this.#reading;
    let found = false;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!;
      const binary = nameIs(name, BINARY_REPORT_FIELD);
      if (!binary && !nameIs(name, REPORT_FIELD)) continue;
      if (!found) reading.clear();
      found = true;
      if (binary) parseBinaryReport(fields[i + 1]!, this.#names, reading);
      else parseReport(fields[i + 1]!, this.#names, reading);
    }
    if (!found) return;
    this.#ledger.reported(member.slot, member.slotGeneration, reading);
    member.seat?.reported(loadReport(reading));
  }

  /** Takes the reports out of the fields that clients get. */
  stripHead(fields: MutableFields): void {
    if (this.#passOn) return;
    removeField(fields, REPORT_FIELD);
    removeField(fields, BINARY_REPORT_FIELD);
  }

  /** What of the trailers clients get; the same array when nothing has to go. */
  strip(trailers: Fields): Fields {
    if (this.#passOn) return trailers;
    let kept: MutableFields | null = null;
    for (let i = 0; i < trailers.length; i += 2) {
      const report = isReport(trailers[i]!);
      if (report) kept ??= trailers.slice(0, i);
      else kept?.push(trailers[i]!, trailers[i + 1]!);
    }
    return kept ?? trailers;
  }
}

/** A field that carries a report. */
const isReport = (name: string): boolean => nameIs(name, REPORT_FIELD) || nameIs(name, BINARY_REPORT_FIELD);
