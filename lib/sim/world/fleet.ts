// The servers of a scenario and what befalls them: antagonists, disturbances, full memories. Chance is its own per server.

import type { Random } from '../../core/random.ts';
import { exponential, streamOf } from '../chance.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Truth } from '../oracle.ts';
import type { DisturbanceConfig, SawtoothConfig, ScenarioConfig, ServersConfig } from '../scenario/schema.ts';
import { ANTAGONIST_STEP_MS, Antagonist } from './antagonist.ts';
import { Reporter } from './reporter.ts';
import { Server, type ServerHost } from './server.ts';

/** Memory: what a collection leaves, of the level at which it comes; the lowest such level; how often idle memory grows. */
const EMPTY = 0.3;
const LEAST_TRIGGER = 0.75;
const FILL_MS = 50;

/** A disturbance that proxies know of beforehand. */
export interface Announcement {
  readonly slot: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Share that it leaves. */
  readonly capacity: number;
}

interface Member {
  readonly group: ServersConfig;
  readonly server: Server;
  readonly reporter: Reporter;
  readonly antagonist: Antagonist | null;
  /** Factor the antagonist leaves. */
  spare: number;
  /** Disturbances under way, and those that agents tell of. */
  readonly under: Set<DisturbanceConfig>;
  readonly shown: Set<DisturbanceConfig>;
  /** Share of the memory that is in use; NaN where nothing fills it. */
  memory: () => number;
  failing: boolean;
}

export class Fleet implements Truth {
  /** Requests on their way to each. */
  readonly heading: Int32Array;
  readonly #members: Member[] = [];
  readonly #kernel: Kernel;
  readonly #announced: Announcement[] = [];

  constructor(scenario: ScenarioConfig, seed: number, kernel: Kernel, host: ServerHost) {
    this.#kernel = kernel;
    const doneKind = kernel.register((index, version) => this.#members[index]!.server.due(version));
    for (const group of scenario.servers)
      for (let n = 0; n < group.count; n++) this.#add(group, scenario, seed, host, doneKind);
    this.heading = new Int32Array(this.#members.length);
    this.#moods();
    this.#windows(scenario.reports.window);
    const endMs = scenario.warmup + scenario.measure;
    for (const [i, disturbance] of scenario.disturbances.entries())
      this.#disturb(disturbance, i, seed, endMs);
    for (const sawtooth of scenario.sawtooth)
      for (const member of this.#chosen(sawtooth)) this.#sawtooth(member, sawtooth, seed);
  }

  get size(): number {
    return this.#members.length;
  }

  server(index: number): Server {
    return this.#members[index]!.server;
  }

  reporter(index: number): Reporter {
    return this.#members[index]!.reporter;
  }

  fails(index: number): boolean {
    return this.#members[index]!.failing;
  }

  joinsMs(index: number): number {
    return this.#members[index]!.group.joins;
  }

  present(slot: number): number {
    return this.#members[slot]!.server.present + this.heading[slot]!;
  }

  room(slot: number): number {
    const { server, group } = this.#members[slot]!;
    return Math.max(1e-6, Math.min(server.cores, group.places ?? Number.POSITIVE_INFINITY));
  }

  /** Of what is the server's own when nothing disturbs it: neighbours and disturbances, as an agent sees them. */
  capacity(slot: number): number {
    const { spare, shown } = this.#members[slot]!;
    let share = spare;
    for (const { cores, speed } of shown) share *= cores * speed;
    return share;
  }

  /** Processor time that requests took so far, in ms of all of the server's own cores. */
  usedMs(slot: number): number {
    const { server, group } = this.#members[slot]!;
    server.advance();
    return server.usedCoreMs / group.cores;
  }

  memory(slot: number): number {
    return this.#members[slot]!.memory();
  }

  /** What proxies are told in advance: the times of a server's disturbances, and what they leave. */
  announcements(): readonly Announcement[] {
    return this.#announced;
  }

  speed(slot: number): number {
    const { server, failing } = this.#members[slot]!;
    return failing ? 0 : server.speed;
  }

  #add(
    group: ServersConfig,
    scenario: ScenarioConfig,
    seed: number,
    host: ServerHost,
    doneKind: number,
  ): void {
    const index = this.#members.length;
    const random = (purpose: string): Random => streamOf(seed, `${purpose} ${index}`);
    const { cores, speed, places = Number.POSITIVE_INFINITY } = group;
    const server = new Server(index, { cores, speed, places }, this.#kernel, host, doneKind);
    const a = group.antagonist;
    const options = a && { ...a, memoryMs: a.memory, burstEveryMs: a.burst_every, burstMs: a.burst };
    this.#members.push({
      group,
      server,
      reporter: new Reporter(server, cores, scenario.reports.noise, random('report')),
      antagonist: options === undefined ? null : new Antagonist(options, random('antagonist')),
      spare: 1,
      under: new Set(),
      shown: new Set(),
      memory: () => Number.NaN,
      failing: false,
    });
  }

  #moods(): void {
    const kind = this.#kernel.register(index => {
      const member = this.#members[index]!;
      member.spare = member.antagonist!.step(this.#kernel.monotonicMs());
      this.#apply(member);
      this.#kernel.schedule(ANTAGONIST_STEP_MS, kind, index, 0);
    });
    this.#members.forEach(({ antagonist }, index) => {
      if (antagonist !== null) this.#kernel.schedule(0, kind, index, 0);
    });
  }

  /** Each in a phase of its own. */
  #windows(windowMs: number): void {
    const kind = this.#kernel.register(index => {
      this.#members[index]!.reporter.closeWindow(this.#kernel.monotonicMs());
      this.#kernel.schedule(windowMs, kind, index, 0);
    });
    this.#members.forEach((_, index) => {
      this.#kernel.schedule(windowMs * ((index + 1) / this.#members.length), kind, index, 0);
    });
  }

  #chosen({ servers, count }: { servers?: string | undefined; count?: number | undefined }): Member[] {
    const named = this.#members.filter(({ group }) => servers === undefined || group.name === servers);
    return named.slice(0, count);
  }

  #disturb(disturbance: DisturbanceConfig, number: number, seed: number, endMs: number): void {
    const { at, every, jitter, stagger, lead, announced } = disturbance;
    for (const [i, member] of this.#chosen(disturbance).entries()) {
      const { index } = member.server;
      const random = streamOf(seed, `disturbance ${number} of ${index}`);
      const begin = (planMs: number): void => {
        const startMs = planMs + random.next() * jitter;
        const inMs = startMs - this.#kernel.monotonicMs();
        this.#kernel.after(inMs - lead, () => member.shown.add(disturbance));
        this.#kernel.after(inMs, () => {
          this.#hold(member, disturbance, disturbance.for);
          if (every !== undefined) begin(planMs + every * (disturbance.random ? exponential(random) : 1));
        });
      };
      const firstMs = at + i * stagger;
      begin(firstMs);
      if (!announced) continue;
      for (let ms = firstMs; ms <= endMs; ms += every ?? Number.POSITIVE_INFINITY)
        this.#announced.push({
          slot: index,
          startMs: ms,
          endMs: ms + jitter + disturbance.for,
          capacity: disturbance.cores * disturbance.speed,
        });
    }
  }

  /** Pauses whenever so many answers have filled the memory to a level of the server's own, and begins filled anyhow. */
  #sawtooth(member: Member, { answers, pause: pauseMs, idle }: SawtoothConfig, seed: number): void {
    const pause: DisturbanceConfig = {
      at: 0,
      for: pauseMs,
      jitter: 0,
      stagger: 0,
      random: false,
      lead: 0,
      announced: false,
      cores: 0,
      speed: 1,
      fails: false,
    };
    const { index } = member.server;
    const trigger = LEAST_TRIGGER + (1 - LEAST_TRIGGER) * streamOf(seed, `memory ${index}`).next();
    let filled = ((index * 0.618) % 1) * answers;
    const fill = (by: number): void => {
      filled += by;
      if (filled < answers) return;
      filled = 0;
      this.#hold(member, pause, pauseMs);
    };
    member.memory = () => trigger * (EMPTY + (1 - EMPTY) * (filled / answers));
    member.reporter.onAnswer = () => fill(1);
    if (idle === 0) return;
    const kind = this.#kernel.register(() => {
      // A heap is not filled by who stands still.
      if (!member.under.has(pause)) fill((idle * FILL_MS) / 1000);
      this.#kernel.schedule(FILL_MS, kind, 0, 0);
    });
    this.#kernel.schedule(FILL_MS, kind, 0, 0);
  }

  #hold(member: Member, disturbance: DisturbanceConfig, ms: number): void {
    member.under.add(disturbance);
    member.shown.add(disturbance);
    this.#apply(member);
    this.#kernel.after(ms, () => {
      member.under.delete(disturbance);
      member.shown.delete(disturbance);
      this.#apply(member);
    });
  }

  #apply(member: Member): void {
    let cores = member.group.cores * member.spare;
    let { speed } = member.group;
    member.failing = false;
    for (const disturbance of member.under) {
      cores *= disturbance.cores;
      speed *= disturbance.speed;
      member.failing ||= disturbance.fails;
    }
    member.server.set(cores, speed);
  }
}
