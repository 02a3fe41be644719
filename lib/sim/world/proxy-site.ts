// One proxy: its own counts and latencies, its own strategy; it sees nothing of the others.

import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { Standing } from '../../plan/balance/gate.ts';
import type { Ending, LoadReport, Strategy, StrategyFactory } from '../../plan/balance/learner.ts';
import type { Candidate, LoadView, Picker, PickRequest } from '../../plan/balance/picker.ts';
import { LatencyBook } from '../../scoreboard/latency.ts';
import type { ControlSite } from './control-site.ts';
import type { PoolSite } from './pool-site.ts';

/** Nothing is vetoed where there are no limits. */
const ANY: PickRequest = { key: 0, accepts: () => true };

export class ProxySite implements LoadView {
  readonly #clock: Clock;
  readonly #inFlight: Int32Array;
  readonly #book: LatencyBook;
  readonly #strategy: Strategy;
  readonly #control: ControlSite | null;
  readonly #pool: PoolSite | null;
  #candidates: readonly Candidate[] = [];
  readonly #gated: PickRequest;
  #request: PickRequest = ANY;
  #admitted: Standing = Standing.open;
  #picker: Picker;

  /** `control`: who judges the servers for this proxy; null for nobody. */
  constructor(
    slots: number,
    clock: Clock,
    random: Random,
    proxies: number,
    factory: StrategyFactory,
    control: ControlSite | null,
    pool: PoolSite | null,
  ) {
    this.#control = control;
    this.#pool = pool;
    this.#gated = {
      key: 0,
      accepts: slot => control!.standing(slot) <= this.#admitted && this.#request.accepts(slot),
    };
    this.#clock = clock;
    this.#inFlight = new Int32Array(slots);
    this.#book = new LatencyBook(slots);
    this.#strategy = factory({ slots, view: this, controlAgeMs: () => 0, clock, random, proxies });
    this.#picker = this.#strategy.picker([]);
  }

  inFlight(slot: number): number {
    return this.#inFlight[slot]!;
  }

  latencyMs(slot: number): number {
    return this.#book.costMs(slot);
  }

  candidates(candidates: readonly Candidate[]): void {
    this.#candidates = candidates;
    this.#picker = this.#strategy.picker(candidates);
    this.resize();
  }

  /** The pool follows demand, where there is one. */
  resize(): void {
    const members = this.#pool?.decide(this.#candidates, this.#clock.monotonicMs()) ?? null;
    if (members !== null) this.#picker = this.#strategy.picker(members);
  }

  /** Share of the backends that this proxy keeps connections to. */
  get poolShare(): number {
    return this.#pool?.share ?? 1;
  }

  /** The slot that takes the request; -1 when there is none. */
  place(request: PickRequest = ANY): number {
    this.#book.tick(this.#clock.monotonicMs());
    const slot = this.#pick(request);
    if (slot < 0) return -1;
    this.#inFlight[slot]! += 1;
    this.#control?.started(slot);
    this.#strategy.learner?.started(slot);
    return slot;
  }

  /** Open ones before those of last resort, those before shut ones. */
  #pick(request: PickRequest): number {
    if (this.#control === null) return this.#picker.pick(request);
    this.#request = request;
    let slot = -1;
    for (const admitted of [Standing.open, Standing.lastResort, Standing.shut]) {
      if (slot >= 0) break;
      this.#admitted = admitted;
      slot = this.#picker.pick(this.#gated);
    }
    return slot;
  }

  /** `report` null when there was none. */
  settle(slot: number, ending: Ending, latencyMs: number, report: LoadReport | null): void {
    this.#inFlight[slot]! -= 1;
    this.#control?.ended(slot, ending, latencyMs);
    const nowMs = this.#clock.monotonicMs();
    if (ending === 'success') this.#book.succeeded(slot, latencyMs, nowMs);
    else if (ending === 'failure') this.#book.failed(slot, latencyMs, nowMs);
    if (report !== null) this.#pool?.heard(slot, report.utilization);
    const { learner } = this.#strategy;
    if (learner === null) return;
    if (report !== null) learner.reported(slot, report);
    learner.finished(slot, ending, latencyMs);
  }

  nextProbe(): number {
    return this.#strategy.prober?.nextProbe() ?? -1;
  }

  probed(slot: number, report: LoadReport): void {
    this.#strategy.prober?.probed(slot, report);
  }
}
