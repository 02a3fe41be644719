// The servers of a scenario and what befalls them: antagonists, disturbances, full memories. Chance is its own per server.

import type { Random } from '../../core/random.ts';
import { streamOf } from '../chance.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Truth } from '../oracle.ts';
import type { DisturbanceConfig, ScenarioConfig, ServersConfig } from '../scenario/schema.ts';
import { ANTAGONIST_STEP_MS, Antagonist } from './antagonist.ts';
import { Reporter } from './reporter.ts';
import { Server, type ServerHost } from './server.ts';

interface Member {
  readonly group: ServersConfig;
  readonly server: Server;
  readonly reporter: Reporter;
  readonly antagonist: Antagonist | null;
  /** Factor the antagonist leaves. */
  spare: number;
  /** Disturbances under way. */
  readonly under: Set<DisturbanceConfig>;
  failing: boolean;
}

export class Fleet implements Truth {
  /** Requests on their way to each. */
  readonly heading: Int32Array;
  readonly #members: Member[] = [];
  readonly #kernel: Kernel;

  constructor(scenario: ScenarioConfig, seed: number, kernel: Kernel, host: ServerHost) {
    this.#kernel = kernel;
    const doneKind = kernel.register((index, version) => this.#members[index]!.server.due(version));
    for (const group of scenario.servers)
      for (let n = 0; n < group.count; n++) this.#add(group, scenario, seed, host, doneKind);
    this.heading = new Int32Array(this.#members.length);
    this.#moods();
    this.#windows(scenario.reports.window);
    for (const [i, disturbance] of scenario.disturbances.entries()) this.#disturb(disturbance, i, seed);
    for (const sawtooth of scenario.sawtooth)
      for (const member of this.#chosen(sawtooth)) this.#sawtooth(member, sawtooth.answers, sawtooth.pause);
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

  #disturb(disturbance: DisturbanceConfig, number: number, seed: number): void {
    const { at, every, jitter } = disturbance;
    for (const member of this.#chosen(disturbance)) {
      const random = streamOf(seed, `disturbance ${number} of ${member.server.index}`);
      const begin = (planMs: number): void => {
        const later = random.next() * jitter;
        this.#kernel.after(planMs + later - this.#kernel.monotonicMs(), () => {
          this.#hold(member, disturbance, disturbance.for);
          if (every !== undefined) begin(planMs + every);
        });
      };
      begin(at);
    }
  }

  /** Pauses whenever so many answers have filled the memory; each begins with a memory filled to another level. */
  #sawtooth(member: Member, answers: number, pauseMs: number): void {
    const pause: DisturbanceConfig = {
      at: 0,
      for: pauseMs,
      jitter: 0,
      cores: 0,
      speed: 1,
      fails: false,
    };
    let left = 1 + ((member.server.index * 0.618) % 1) * answers;
    member.reporter.onAnswer = () => {
      left -= 1;
      if (left > 0) return;
      left = answers;
      this.#hold(member, pause, pauseMs);
    };
  }

  #hold(member: Member, disturbance: DisturbanceConfig, ms: number): void {
    member.under.add(disturbance);
    this.#apply(member);
    this.#kernel.after(ms, () => {
      member.under.delete(disturbance);
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
