// A world in which one policy balances: arrivals → proxies → network → servers → network → proxies, all from one seed.
//
//   arrival ─ pick ─► toServer ─► [asleep → atServer] ─► toProxy ─► settled
//                       └ at the deadline, wherever it is: cancelled, or waited for and counted as failed
//
// What a request costs and how long its two ways take is drawn when it comes, from streams of their own: whatever the
// policy, request n is the same request. So policies are compared on pairs.

import type { LoadReport, StrategyFactory } from '../../plan/balance/learner.ts';
import { streamOf } from '../chance.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { Truth } from '../oracle.ts';
import type { LimitsConfig, ScenarioConfig } from '../scenario/schema.ts';
import { startAgents } from './agents.ts';
import { Arrivals } from './arrivals.ts';
import { ControlSite } from './control-site.ts';
import { Deadlines } from './deadlines.ts';
import { Door } from './door.ts';
import { Fleet } from './fleet.ts';
import { POOL_TICK_MS, PoolSite } from './pool-site.ts';
import { ProxySite } from './proxy-site.ts';
import { Place, RequestTable } from './request-table.ts';
import { Tally } from './tally.ts';

export interface WorldOptions {
  readonly scenario: ScenarioConfig;
  readonly seed: number;
  readonly proxies: number;
  /** Arrivals, before steps. */
  readonly ratePerMs: number;
  readonly policy: (truth: Truth) => StrategyFactory;
  /** Each proxy has a pool by demand. */
  readonly pool?: boolean | undefined;
  readonly gate?: 'present' | 'foreseen' | undefined;
  /** Of each proxy; everything is sent at once without. */
  readonly limits?: LimitsConfig | undefined;
  /** Hears of every good answer: when, after how long, and the limit in force at its server, 0 for none. */
  readonly answered?: (nowMs: number, latencyMs: number, limit: number) => void;
}

/** A server that fails answers after this long. */
const FAILURE_MS = 1;
/** How often the spread of load over the servers is looked at. */
const LOOK_MS = 200;
const NOTHING: LoadReport = {
  inFlight: Number.NaN,
  meanInFlight: Number.NaN,
  requestsPerSecond: Number.NaN,
  utilization: Number.NaN,
  latencyMs: Number.NaN,
};

export class World {
  readonly #scenario: ScenarioConfig;
  readonly #kernel = new Kernel();
  readonly #table = new RequestTable();
  readonly #tally: Tally;
  readonly #fleet: Fleet;
  readonly #proxies: ProxySite[];
  readonly #doors: Door[] = [];
  readonly #answered: NonNullable<WorldOptions['answered']>;
  readonly #arrivals: Arrivals;
  readonly #deadlines: Deadlines;
  readonly #report: LoadReport = { ...NOTHING };
  readonly #kinds;

  constructor({ scenario, seed, proxies, ratePerMs, policy, gate, pool, limits, answered }: WorldOptions) {
    const kernel = this.#kernel;
    this.#scenario = scenario;
    this.#arrivals = new Arrivals(scenario, ratePerMs, proxies, seed);
    this.#tally = new Tally();
    this.#fleet = new Fleet(scenario, seed, kernel, {
      sleeps: (_server, row, ms) => {
        this.#table.place[row] = Place.asleep;
        kernel.schedule(ms, this.#kinds.wake, row, this.#table.generation[row]!);
      },
      completed: (_server, row) => this.#completed(row),
    });
    const factory = policy(this.#fleet);
    const slots = this.#fleet.size;
    const { agent } = scenario;
    const sites =
      agent === undefined || gate === undefined
        ? []
        : Array.from(
            { length: proxies },
            () => new ControlSite(slots, kernel, gate === 'foreseen', this.#fleet.announcements()),
          );
    if (agent !== undefined && sites.length > 0) startAgents(agent, this.#fleet, sites, seed, kernel);
    this.#proxies = Array.from(
      { length: proxies },
      (_, i) =>
        new ProxySite(
          slots,
          kernel,
          streamOf(seed, `policy ${i}`),
          proxies,
          factory,
          sites[i] ?? null,
          pool === true ? new PoolSite(`proxy ${i}`, slots) : null,
        ),
    );
    this.#answered = answered ?? (() => {});
    if (limits !== undefined)
      this.#doors = this.#proxies.map(
        proxy =>
          new Door(slots, kernel, limits, {
            place: request => proxy.place(request),
            sent: (row, slot) => this.#send(row, slot),
            refused: row => this.#refused(row),
          }),
      );
    this.#kinds = {
      arrive: kernel.register(() => this.#arrive()),
      deliver: kernel.register((row, generation) => this.#deliver(row, generation)),
      wake: kernel.register((row, generation) => this.#wake(row, generation)),
      fail: kernel.register((row, generation) => this.#fail(row, generation)),
      answer: kernel.register((row, generation) => this.#answer(row, generation)),
      probe: kernel.register(row => this.#probe(row)),
      probed: kernel.register(row => this.#probed(row)),
      join: kernel.register(() => this.#join()),
      look: kernel.register(() => this.#look()),
      resize: kernel.register(() => {
        for (const proxy of this.#proxies) proxy.resize();
        kernel.schedule(POOL_TICK_MS, this.#kinds.resize, 0, 0);
      }),
    };
    this.#deadlines = new Deadlines(kernel, scenario.deadline, (row, generation) =>
      this.#atDeadline(row, generation),
    );
    const joins = new Set(Array.from({ length: slots }, (_, slot) => this.#fleet.joinsMs(slot)));
    this.#join();
    for (const atMs of joins) if (atMs > 0) kernel.schedule(atMs, this.#kinds.join, 0, 0);
    kernel.schedule(this.#arrivals.gapMs(0), this.#kinds.arrive, 0, 0);
    kernel.schedule(scenario.warmup, this.#kinds.look, 0, 0);
    if (pool === true) kernel.schedule(POOL_TICK_MS, this.#kinds.resize, 0, 0);
  }

  get events(): number {
    return this.#kernel.events;
  }

  /**
   * To the end of the scenario, and on until every request counted has ended or passed its deadline. Arrivals stop at the
   * end of what is measured. Who waits longer still counts with the deadline: it is known to be no less.
   */
  run(): Tally {
    const { warmup, measure, deadline } = this.#scenario;
    this.#kernel.run(warmup + measure + deadline);
    const tally = this.#tally;
    for (let left = tally.requests - tally.good - tally.late - tally.errors; left > 0; left--) {
      tally.late += 1;
      tally.slow += 1;
      tally.ended(deadline);
    }
    return tally;
  }

  #measures(nowMs: number): boolean {
    const { warmup, measure } = this.#scenario;
    return nowMs >= warmup && nowMs < warmup + measure;
  }

  /** Who is there takes work. */
  #join(): void {
    const nowMs = this.#kernel.monotonicMs();
    const candidates = Array.from({ length: this.#fleet.size }, (_, slot) => slot)
      .filter(slot => this.#fleet.joinsMs(slot) <= nowMs)
      .map(slot => ({ slot, id: `server-${slot}`, weight: 1 }));
    for (const proxy of this.#proxies) proxy.candidates(candidates);
  }

  #look(): void {
    const nowMs = this.#kernel.monotonicMs();
    if (!this.#measures(nowMs)) return;
    let most = 0;
    let sum = 0;
    for (let slot = 0; slot < this.#fleet.size; slot++) {
      const present = this.#fleet.server(slot).present;
      most = Math.max(most, present);
      sum += present;
    }
    const pool = this.#proxies.reduce((all, { poolShare }) => all + poolShare, 0) / this.#proxies.length;
    this.#tally.looked(most, sum / this.#fleet.size, pool);
    this.#kernel.schedule(LOOK_MS, this.#kinds.look, 0, 0);
  }

  #arrive(): void {
    const nowMs = this.#kernel.monotonicMs();
    const arrivals = this.#arrivals;
    const { warmup, measure } = this.#scenario;
    arrivals.draw();
    if (nowMs < warmup + measure) this.#kernel.schedule(arrivals.gapMs(nowMs), this.#kinds.arrive, 0, 0);
    const counted = this.#measures(nowMs);
    if (counted) this.#tally.requests += 1;
    const proxy = this.#proxies[arrivals.proxy]!;
    const door = this.#doors[arrivals.proxy];
    const slot = door === undefined ? proxy.place() : 0;
    if (slot < 0) {
      if (counted) this.#tally.errors += 1;
      return;
    }
    const table = this.#table;
    const row = table.take();
    table.proxy[row] = arrivals.proxy;
    table.place[row] = Place.inLine;
    table.failed[row] = 0;
    table.counted[row] = counted ? 1 : 0;
    table.startMs[row] = nowMs;
    table.sleepMs[row] = arrivals.sleepMs;
    table.workMs[row] = arrivals.workMs;
    table.thereMs[row] = arrivals.thereMs;
    table.backMs[row] = arrivals.backMs;
    if (this.#scenario.on_deadline === 'cancel') this.#deadlines.add(row, table.generation[row]!);
    if (door === undefined) this.#send(row, slot);
    else door.admit(row);
    for (let to = proxy.nextProbe(); to >= 0; to = proxy.nextProbe()) {
      if (counted) this.#tally.probes += 1;
      const probe = table.take();
      table.proxy[probe] = arrivals.proxy;
      table.server[probe] = to;
      this.#kernel.schedule(arrivals.probeDelayMs(), this.#kinds.probe, probe, 0);
    }
  }

  #send(row: number, slot: number): void {
    const table = this.#table;
    table.server[row] = slot;
    table.place[row] = Place.toServer;
    table.sentMs[row] = this.#kernel.monotonicMs();
    this.#fleet.heading[slot]! += 1;
    this.#kernel.schedule(table.thereMs[row]!, this.#kinds.deliver, row, table.generation[row]!);
  }

  #refused(row: number): void {
    if (this.#table.counted[row] === 1) this.#tally.errors += 1;
    this.#table.release(row);
  }

  #deliver(row: number, generation: number): void {
    const table = this.#table;
    if (table.generation[row] !== generation) return;
    const slot = table.server[row]!;
    this.#fleet.heading[slot]! -= 1;
    table.place[row] = Place.atServer;
    table.arrivedMs[row] = this.#kernel.monotonicMs();
    const server = this.#fleet.server(slot);
    table.foundInFlight[row] = server.present;
    if (this.#fleet.fails(slot)) {
      table.failed[row] = 1;
      table.place[row] = Place.toProxy;
      this.#kernel.schedule(FAILURE_MS, this.#kinds.fail, row, generation);
    } else server.arrive(row, table.sleepMs[row]!, table.workMs[row]!);
  }

  #wake(row: number, generation: number): void {
    const table = this.#table;
    if (table.generation[row] !== generation) return;
    table.place[row] = Place.atServer;
    this.#fleet.server(table.server[row]!).woke(row, table.workMs[row]!);
  }

  #fail(row: number, generation: number): void {
    if (this.#table.generation[row] === generation) this.#leaves(row);
  }

  #completed(row: number): void {
    const table = this.#table;
    const latencyMs = this.#kernel.monotonicMs() - table.arrivedMs[row]!;
    this.#fleet.reporter(table.server[row]!).answered(table.foundInFlight[row]!, latencyMs);
    this.#leaves(row);
  }

  #leaves(row: number): void {
    const table = this.#table;
    table.place[row] = Place.toProxy;
    if (this.#scenario.reports.attached) {
      this.#fleet.reporter(table.server[row]!).write(this.#report);
      table.keepReport(row, this.#report);
    }
    this.#kernel.schedule(table.backMs[row]!, this.#kinds.answer, row, table.generation[row]!);
  }

  #answer(row: number, generation: number): void {
    const table = this.#table;
    if (table.generation[row] !== generation) return;
    const nowMs = this.#kernel.monotonicMs();
    const slot = table.server[row]!;
    const latencyMs = nowMs - table.sentMs[row]!;
    const failed = table.failed[row] === 1;
    const { attached } = this.#scenario.reports;
    if (attached) table.readReport(row, this.#report);
    const proxy = this.#proxies[table.proxy[row]!]!;
    const door = this.#doors[table.proxy[row]!];
    proxy.settle(slot, failed ? 'failure' : 'success', latencyMs, attached ? this.#report : null);
    const wholeMs = nowMs - table.startMs[row]!;
    if (table.counted[row] === 1) this.#count(wholeMs, failed);
    if (!failed) this.#answered(nowMs, wholeMs, door?.limit(slot) ?? 0);
    table.release(row);
    door?.freed(slot, failed, latencyMs);
  }

  #count(latencyMs: number, failed: boolean): void {
    const { deadline, slow } = this.#scenario;
    const tally = this.#tally;
    if (failed) tally.errors += 1;
    else {
      tally.ended(latencyMs);
      if (latencyMs > slow) tally.slow += 1;
      if (latencyMs > deadline) tally.late += 1;
      else tally.good += 1;
    }
  }

  #atDeadline(row: number, generation: number): void {
    const table = this.#table;
    if (table.generation[row] !== generation) return;
    const slot = table.server[row]!;
    const place = table.place[row]!;
    const door = this.#doors[table.proxy[row]!];
    if (place === Place.inLine) door!.leave(row);
    else this.#cancel(row, slot, place);
    if (table.counted[row] === 1) {
      this.#tally.late += 1;
      this.#tally.slow += 1;
      this.#tally.ended(this.#scenario.deadline);
    }
    table.release(row);
    if (place !== Place.inLine) door?.freed(slot, false, -1);
  }

  #cancel(row: number, slot: number, place: number): void {
    if (place === Place.toServer) this.#fleet.heading[slot]! -= 1;
    else if (place !== Place.toProxy) this.#fleet.server(slot).cancel(row, place === Place.asleep);
    this.#proxies[this.#table.proxy[row]!]!.settle(slot, 'failure', this.#scenario.deadline, null);
  }

  #probe(row: number): void {
    this.#fleet.reporter(this.#table.server[row]!).write(this.#report);
    this.#table.keepReport(row, this.#report);
    this.#kernel.schedule(this.#arrivals.probeDelayMs(), this.#kinds.probed, row, 0);
  }

  #probed(row: number): void {
    const table = this.#table;
    table.readReport(row, this.#report);
    this.#proxies[table.proxy[row]!]!.probed(table.server[row]!, this.#report);
    table.release(row);
  }
}
