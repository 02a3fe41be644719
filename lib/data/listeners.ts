// The listeners of one worker, brought in line with each snapshot: new ones bound, changed ones updated, gone ones let go.

import { closeSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { listenError } from '../core/listen-error.ts';
import type { Log } from '../core/log.ts';
import type { ListeningSocket } from '../orders/messages.ts';
import type { ListenerEntry, Snapshot } from '../orders/snapshot.ts';
import type { ClientLedger, WorkerLedger } from '../scoreboard/ports.ts';
import { hashSeed } from './compile.ts';
import type { Descriptors } from './descriptors.ts';
import { Listener } from './listener/listener.ts';
import { probeAddress } from './listener/probe.ts';
import type { RequestHandler } from './ports.ts';

export interface ListenerTools {
  readonly handler: RequestHandler;
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: WorkerLedger;
  readonly clients: ClientLedger;
  readonly descriptors?: Descriptors | undefined;
}

export interface ListenFailure {
  readonly address: string;
  readonly error: string;
}

/** On a listener that was taken out of the configuration. */
const RETIRED_IDLE_MS = 1_000;

interface Bound {
  readonly listener: Listener;
  readonly socket: ListeningSocket;
}

export class Listeners {
  readonly #tools: ListenerTools;
  readonly #inherited: ListeningSocket[];
  readonly #ports: Readonly<Record<string, number>>;
  readonly #bound = new Map<string, Bound[]>();
  /** Taken out of the configuration, with connections that finish. */
  readonly #retired = new Set<Listener>();
  /** Snapshots come faster than sockets bind: one at a time, the latest last. */
  #queue: Promise<readonly ListenFailure[]> = Promise.resolve([]);
  #exclusive: boolean;
  #leaving = false;
  #nextId = 1;

  constructor(
    tools: ListenerTools,
    inherited: readonly ListeningSocket[],
    ports: Readonly<Record<string, number>>,
    exclusive: boolean,
  ) {
    this.#tools = tools;
    this.#inherited = [...inherited];
    this.#ports = ports;
    this.#exclusive = exclusive;
  }

  get sockets(): readonly ListeningSocket[] {
    return this.#all.map(({ socket }) => socket);
  }

  get connections(): number {
    let open = 0;
    for (const { listener } of this.#all) open += listener.connections;
    for (const listener of this.#retired) open += listener.connections;
    return open;
  }

  /** Resolves with what could not be bound. */
  apply(snapshot: Snapshot): Promise<readonly ListenFailure[]> {
    this.#queue = this.#queue.then(() => this.#apply(snapshot));
    return this.#queue;
  }

  stopAccepting(): void {
    this.#leaving = true;
    for (const { listener } of this.#all) listener.stopAccepting();
  }

  /** `idleMs`: how long a connection without a request may still bring one. */
  drain(pacePerSecond: number, idleMs: number): void {
    for (const { listener } of this.#all) listener.drain(pacePerSecond, idleMs);
  }

  destroyAll(): void {
    for (const { listener } of this.#all) listener.destroyAll();
    for (const listener of this.#retired) listener.destroyAll();
  }

  get #all(): readonly Bound[] {
    return [...this.#bound.values()].flat();
  }

  async #apply(snapshot: Snapshot): Promise<readonly ListenFailure[]> {
    if (this.#leaving) return [];
    for (const listener of this.#retired) if (listener.connections === 0) this.#retired.delete(listener);
    const failures: ListenFailure[] = [];
    const wanted = byKey(snapshot.listeners);
    for (const [key, bound] of this.#bound) {
      if (wanted.has(key)) continue;
      this.#bound.delete(key);
      for (const { listener } of bound) this.#letGo(listener, snapshot);
    }
    let index = 0;
    for (const [key, entry] of wanted) {
      const known = this.#bound.get(key);
      if (known === undefined) await this.#bind(key, entry, index, snapshot, failures);
      else
        for (const { listener } of known) listener.update(entry, snapshot.config.limits, snapshot.ticketKeys);
      index += 1;
    }
    this.#closeUnclaimed();
    // Later listeners come with a reload, when other workers may have bound the port already.
    this.#exclusive = false;
    return failures;
  }

  /** Handed on, but no longer in the configuration: left open, it would take in clients whom nobody serves. */
  #closeUnclaimed(): void {
    for (const { address, fd } of this.#inherited.splice(0)) {
      if (this.#bound.get(address)?.some(({ socket }) => socket.fd === fd)) continue;
      try {
        closeSync(fd);
      } catch (error) {
        this.#tools.log.debug('an inherited socket was closed already', { address, reason: String(error) });
      }
    }
  }

  /** What it has accepted is served to its end. */
  #letGo(listener: Listener, { config }: Snapshot): void {
    listener.stopAccepting();
    listener.drain(config.shutdown.pace, RETIRED_IDLE_MS);
    this.#retired.add(listener);
  }

  async #bind(
    key: string,
    entry: ListenerEntry,
    index: number,
    snapshot: Snapshot,
    failures: ListenFailure[],
  ): Promise<void> {
    const { address } = entry.config;
    const handed = this.#inherited.filter(socket => socket.address === key);
    const sources = handed.length > 0 ? handed.map(({ fd }) => ({ fd })) : [{ reusePort: true }];
    // Where another worker was given a port for `:0`, that port is meant.
    const given = this.#ports[key];
    const meant = given === undefined ? address : address.replace(/:0$/, `:${given}`);
    const bound: Bound[] = [];
    for (const source of sources) {
      const { clock, log, ledger, clients, handler, descriptors } = this.#tools;
      const listener = new Listener({
        // The entry stays as it is: what is bound to its address, such as TLS sessions, is the same for all workers.
        entry,
        bindAddress: meant,
        index,
        limits: snapshot.config.limits,
        ticketKeys: snapshot.ticketKeys,
        handler,
        clock,
        log,
        ledger,
        clients,
        descriptors,
        seed: hashSeed(snapshot),
        http1: snapshot.config.http1,
        nextConnectionId: () => this.#nextId++,
      });
      try {
        if (this.#exclusive) await probeAddress(meant);
        const socket = await listener.listen(source);
        // Told to leave meanwhile.
        if (this.#leaving) listener.stopAccepting();
        bound.push({ listener, socket: { ...socket, address: key } });
      } catch (error) {
        failures.push({ address, error: listenError(error) });
      }
    }
    if (bound.length > 0) this.#bound.set(key, bound);
  }
}

/** By address; several listeners on port 0 of one address are told apart by their order. */
function byKey(entries: readonly ListenerEntry[]): Map<string, ListenerEntry> {
  const keyed = new Map<string, ListenerEntry>();
  for (const entry of entries) {
    let key = entry.config.address;
    for (let n = 2; keyed.has(key); n++) key = `${entry.config.address}#${n}`;
    keyed.set(key, entry);
  }
  return keyed;
}
