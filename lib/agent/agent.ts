// The process beside a backend: reads the machine again and again, and answers whoever asks how busy it is.
//
// What is to come (the agent registering its backend in a store, and bidding for shards) begins here: `start` is where the backend is
// announced, `dispose` where it is taken back, and `state` is what is said of it.

import { type Clock, every } from '../core/clock.ts';
import type { AgentState } from './answers.ts';
import { loadBetween } from './load.ts';
import { type MachineOptions, type MachineReading, readMachine } from './machine.ts';
import { type Serving, serveCheck, serveMetrics, serveOrca } from './serve.ts';

export interface AgentOptions extends Omit<MachineOptions, 'nowMs'> {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Requests at once that the backend can bear; 0 for unsaid. */
  readonly capacity: number;
  /** host:port; null for off. */
  readonly metrics: string | null;
  readonly check: string | null;
  readonly orca: string | null;
}

export class Agent implements Disposable {
  /** By what is served: where. */
  readonly serving: Readonly<Record<string, string>>;
  readonly #servers: readonly Serving[];
  readonly #reading: Disposable;

  private constructor(servers: Readonly<Record<string, Serving>>, reading: Disposable) {
    this.#servers = Object.values(servers);
    this.serving = Object.fromEntries(Object.entries(servers).map(([name, { address }]) => [name, address]));
    this.#reading = reading;
  }

  /** Throws LISTEN_FAILED when a port cannot be had; then none is. */
  static async start(options: AgentOptions): Promise<Agent> {
    const { clock, intervalMs } = options;
    const watch = new MachineWatch(options);
    const state = (): AgentState => watch.state;
    const servers: Record<string, Serving> = {};
    try {
      for (const [name, address, serve] of [
        ['metrics', options.metrics, serveMetrics],
        ['check', options.check, serveCheck],
        ['orca', options.orca, serveOrca],
      ] as const)
        if (address !== null) servers[name] = await serve(address, state, clock);
    } catch (error) {
      for (const server of Object.values(servers)) server.close();
      throw error;
    }
    return new Agent(
      servers,
      every(clock, intervalMs, () => watch.read()),
    );
  }

  [Symbol.dispose](): void {
    this.#reading[Symbol.dispose]();
    for (const server of this.#servers) server.close();
  }
}

/** The load of the last interval. */
export class MachineWatch {
  readonly #options: AgentOptions;
  #before: MachineReading;
  #beforeMs: number;
  state: AgentState;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#beforeMs = options.clock.monotonicMs();
    this.#before = readMachine({ ...options, nowMs: this.#beforeMs });
    // Shares of time are not known yet; memory is.
    this.state = { load: loadBetween(this.#before, this.#before, 0), capacity: options.capacity };
  }

  read(): AgentState {
    const nowMs = this.#options.clock.monotonicMs();
    const now = readMachine({ ...this.#options, nowMs });
    const load = loadBetween(this.#before, now, nowMs - this.#beforeMs);
    this.#before = now;
    this.#beforeMs = nowMs;
    this.state = { load, capacity: this.#options.capacity };
    return this.state;
  }
}
