// What is known of the load of one cluster's backends for its sessions: a price each, with the events that concern it.

import { EventForecaster } from '../../plan/forecast/events.ts';
import { LoadForecaster } from '../../plan/forecast/load-forecaster.ts';
import { Levels, type LoadReading } from '../../plan/session/levels.ts';
import { Price } from '../../plan/session/price.ts';
import type { SessionTable } from '../../plan/session/table.ts';
import type { Seat } from './ports.ts';

const STEP_MS = 250;
/** Several, of which the worst counts: events and habits begin a little early or late. See plan/session. */
const HORIZONS_MS = [15_000, 20_000, 25_000, 30_000];
/** Weight of a report in the present price. */
const PRICE_WEIGHT = 0.3;
const UNKNOWN: LoadReading = Object.freeze({ load: Number.NaN, ageMs: 0 });

export class BackendModels {
  readonly levels: Levels;
  readonly #prices: Price[] = [];
  /** Whose price it is. */
  readonly #generations: number[] = [];
  #readings: LoadReading[] = [];

  /** `foresees`: false where the cluster has no forecast; then the present counts. */
  constructor(table: SessionTable, foresees: boolean) {
    const horizonsMs = foresees ? HORIZONS_MS : [];
    const demand = foresees ? new LoadForecaster({ stepMs: STEP_MS, horizonsMs }) : null;
    this.levels = new Levels({ table, prices: this.#prices, demand }, { horizonsMs, caution: 0 });
  }

  observe(seats: readonly Seat[], up: readonly number[], nowMs: number, wallMs: number): void {
    this.#readings = [];
    for (const { slot, slotGeneration, load, ageMs, calendar } of seats) {
      if (this.#generations[slot] !== slotGeneration) {
        this.#generations[slot] = slotGeneration;
        const model = new LoadForecaster({ stepMs: STEP_MS, horizonsMs: HORIZONS_MS });
        this.#prices[slot] = new Price(
          calendar === null ? model : new EventForecaster(model, calendar),
          PRICE_WEIGHT,
        );
      }
      this.#readings[slot] = Number.isNaN(load) ? UNKNOWN : { load, ageMs };
    }
    this.levels.observe(nowMs, wallMs, this.#readings, up);
  }
}
