// Somewhere else, from where nothing may come any more: no FIN, no reset, no acknowledgement.
//
// Two forms. A network of its own for the distant process, joined by a cable (veth) that goes dead: what it is in life, keep-alive probes
// of the kernel included. Where the system lets nobody make networks, a relay that stops forwarding: silence of
// the application, which time-outs must notice, though the kernel beneath still acknowledges.

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import type { Done, Order } from './distant-process.ts';

const SCRIPT = new URL('./distant-process.ts', import.meta.url).pathname;
const HERE = '10.73.0.1';
const THERE = '10.73.0.2';

export interface Place {
  readonly host: string;
  readonly port: number;
}

type Asked<O extends Order> = O extends Order ? Omit<O, 'id'> : never;

/** The process there (or, without a distance, here), and what it is asked to do. */
export class Cast implements Disposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (done: Done) => void>();
  #last = 0;

  constructor(child: ChildProcess = fork(SCRIPT)) {
    this.#child = child;
    child.on('message', (done: Done) => {
      this.#waiting.get(done.id)?.(done);
      this.#waiting.delete(done.id);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with the port of a new backend. */
  async serve(): Promise<number> {
    return (await this.#ask({ act: 'serve' }).done).port!;
  }

  /** Resolves with the call's number once `until` has come back; at once when it is empty. */
  async call(to: Place, bytes: string, until: string): Promise<number> {
    const { id, done } = this.#ask({ act: 'call', ...to, bytes, until });
    const { error } = await done;
    if (error !== undefined) throw new Error(`call to ${to.host}:${to.port}: ${error}`);
    return id;
  }

  /** Resolves once the connection of this call is closed. */
  async closed(call: number): Promise<void> {
    await this.#ask({ act: 'closed', call }).done;
  }

  #ask(order: Asked<Order>): { id: number; done: Promise<Done> } {
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Done>();
    this.#waiting.set(id, resolve);
    this.#child.send({ id, ...order });
    return { id, done: promise };
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
    this.#child.kill('SIGKILL');
  }
}

export interface Distance extends AsyncDisposable {
  readonly cast: Cast;
  /** Where those there find this port of ours. */
  ours(port: number): Promise<Place>;
  /** Where we find this port of theirs. */
  theirs(port: number): Promise<Place>;
  /** From now on nothing comes from there, and nothing more is said. */
  vanish(): void;
}

/** May this user make a network of its own? */
export function mayMakeNetworks(): boolean {
  try {
    const cable = ['ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far'];
    execFileSync('unshare', ['--map-root-user', '--net', ...cable], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Only for a process in a network of its own: what is made here goes with it. */
export async function byCable(): Promise<Distance> {
  const ip = (...words: string[]): unknown => execFileSync('ip', words);
  ip('link', 'set', 'lo', 'up');
  const child = spawn('unshare', ['--net', process.execPath, SCRIPT], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const cast = new Cast(child);
  // It answers only from the other side of unshare.
  await cast.serve();
  const there = (...words: string[]): unknown =>
    execFileSync('nsenter', [`--target=${cast.pid}`, '--net', 'ip', ...words]);
  ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', String(cast.pid));
  ip('addr', 'add', `${HERE}/24`, 'dev', 'near');
  ip('link', 'set', 'near', 'up');
  there('addr', 'add', `${THERE}/24`, 'dev', 'far');
  there('link', 'set', 'far', 'up');
  return {
    cast,
    ours: async port => ({ host: HERE, port }),
    theirs: async port => ({ host: THERE, port }),
    vanish: () => void there('route', 'add', 'blackhole', `${HERE}/32`),
    async [Symbol.asyncDispose]() {
      cast[Symbol.dispose]();
    },
  };
}

export function byRelay(): Distance {
  const cast = new Cast();
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  let silent = false;
  const join = (from: net.Socket, to: net.Socket): void => {
    sockets.add(from);
    from.on('error', () => {});
    from.on('data', bytes => {
      if (!silent) to.write(bytes);
    });
    from.on('close', () => {
      if (!silent) to.destroy();
    });
  };
  const relay = async (port: number): Promise<Place> => {
    const server = net.createServer({ allowHalfOpen: true }, near => {
      if (silent) return void sockets.add(near);
      const far = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      join(near, far);
      join(far, near);
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
  };
  return {
    cast,
    ours: relay,
    theirs: relay,
    vanish() {
      silent = true;
      for (const socket of sockets) socket.pause();
    },
    async [Symbol.asyncDispose]() {
      cast[Symbol.dispose]();
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
