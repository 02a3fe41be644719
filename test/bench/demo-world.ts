// The world of `npm run demo:migrate`: users who talk over WebSockets, backends with a queue, and a job that makes one of them slow. Everybody
// is there twice, in one leaseway: in the cluster `moved` users may be moved, in `stays` they stay where they are.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';
import { heedDrainNotices } from '../../lib/server/index.ts';
import { Leaseway } from '../support/leaseway.ts';
import { percentile } from '../support/percentile.ts';
import { runCli } from '../support/run-cli.ts';
import { oweAnswers } from './owed-answers.ts';

const BACKENDS = ['b1', 'b2', 'b3'];
/** A message takes a backend so long, one after the other: each bears 200 a second. */
const WORK_MS = 5;
const USERS = 60;
const PERIOD_MS = 250;
/** Load is told of this much of the past. */
const WINDOW_MS = 1_000;
/** An answer that a user notices as late. */
export const LATE_MS = 500;

export const JOB = { backend: 'b1', factor: 4 } as const;

export interface WorldOptions {
  /** Until the job is announced. */
  readonly calmMs: number;
  /** From then until it begins. */
  readonly aheadMs: number;
  /** What is announced; it is watched for `watchMs` of it. */
  readonly jobMs: number;
  readonly watchMs: number;
}

export interface SideFigures {
  /** Of the backend with the job: as reported, and as foreseen with what is moving; null where nothing can move. */
  readonly load: number | null;
  readonly foreseen: number | null;
  /** By backend. */
  readonly users: readonly number[];
  /** The slowest answer since the last look. */
  readonly slowestMs: number;
  readonly disconnects: number;
  readonly answers: number;
  readonly late: number;
  readonly p99Ms: number;
}

export interface Look {
  readonly atMs: number;
  readonly phase: 'calm' | 'announced' | 'job' | 'after';
  readonly moved: SideFigures;
  readonly stays: SideFigures;
}

export interface WorldReport {
  readonly command: string;
  readonly last: Look;
  /** Users that had left the backend when the job began. */
  readonly movedBefore: number;
  /** How long their connections were held, in ms. */
  readonly holdsMs: readonly number[];
  /** Loads over capacity: looks at which it was seen. */
  readonly overloaded: { readonly moved: number; readonly stays: number };
}

/** Of `/v1/sessions`. */
interface SessionsPlan {
  readonly cluster: string;
  readonly backends: readonly { readonly backend: string; readonly ahead: number | null }[];
}

class QueueBackend {
  readonly id: string;
  readonly websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly server: Server;
  workMs = WORK_MS;
  #freeMs = 0;
  /** Work that came in, by time. */
  readonly #came: { readonly atMs: number; readonly workMs: number }[] = [];

  constructor(id: string) {
    this.id = id;
    heedDrainNotices(this.websockets);
    this.websockets.on('connection', socket => oweAnswers(socket, () => this.#queue()));
    this.server = createServer((_request, response) => response.end(`app_load ${this.load.toFixed(3)}\n`));
    this.server.on('upgrade', (request, socket, head) =>
      this.websockets.handleUpgrade(request, socket, head, client =>
        this.websockets.emit('connection', client),
      ),
    );
  }

  /** Work that comes in, as a share of what can be done. */
  get load(): number {
    const sinceMs = performance.now() - WINDOW_MS;
    while (this.#came.length > 0 && this.#came[0]!.atMs < sinceMs) this.#came.shift();
    return this.#came.reduce((sum, { workMs }) => sum + workMs, 0) / WINDOW_MS;
  }

  get users(): number {
    return this.websockets.clients.size;
  }

  /** Takes one more; in how many ms it is done. */
  #queue(): number {
    const nowMs = performance.now();
    this.#came.push({ atMs: nowMs, workMs: this.workMs });
    this.#freeMs = Math.max(this.#freeMs, nowMs) + this.workMs;
    return this.#freeMs - nowMs;
  }
}

class User {
  readonly socket: WebSocket;

  constructor(url: string, side: Side) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', data => side.answered(performance.now() - Number(data)));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      side.disconnects += 1;
    });
  }

  say(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(String(performance.now()));
  }
}

class Side {
  readonly name: 'moved' | 'stays';
  readonly backends = BACKENDS.map(id => new QueueBackend(id));
  users: User[] = [];
  disconnects = 0;
  overloaded = 0;
  readonly #tookMs: number[] = [];
  #slowestMs = 0;

  constructor(name: 'moved' | 'stays') {
    this.name = name;
  }

  get busy(): QueueBackend {
    return this.backends.find(({ id }) => id === JOB.backend)!;
  }

  answered(ms: number): void {
    this.#tookMs.push(ms);
    this.#slowestMs = Math.max(this.#slowestMs, ms);
  }

  async look(leaseway: Leaseway): Promise<SideFigures> {
    const { backend } = (await leaseway.admin(`/v1/backends/${this.name}/${JOB.backend}`)).body;
    const plans = (await leaseway.admin('/v1/sessions')).body.items as SessionsPlan[];
    const plan = plans.find(({ cluster }) => cluster === this.name);
    const planned = plan?.backends.find(one => one.backend === JOB.backend);
    const slowestMs = this.#slowestMs;
    this.#slowestMs = 0;
    if (this.busy.load > 1) this.overloaded += 1;
    const took = this.#tookMs;
    return {
      ...{ load: backend.load, foreseen: planned?.ahead ?? null, slowestMs, disconnects: this.disconnects },
      users: this.backends.map(({ users }) => users),
      answers: took.length,
      late: took.filter(ms => ms > LATE_MS).length,
      p99Ms: percentile(took, 0.99) || 0,
    };
  }

  clusterConfig(): Record<string, unknown> {
    return {
      backends: this.backends.map(({ id, server }) => ({
        id,
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      })),
      // A third of the users each: by chance one had so few that the job overloaded nobody.
      balance: { policy: 'round_robin' },
      signals: [
        {
          scrape: {
            url: 'http://{host}:{port}/metrics',
            interval: '500ms',
            metrics: { application: 'app_load' },
          },
        },
      ],
      forecast: { horizons: ['1s', '5s', '10s'] },
      websocket: { migrate: this.name === 'moved' ? 'transparent' : 'off' },
      migration: { over: 0.9, under: 0.8, per_second: 4, dwell: '2s' },
    };
  }
}

/** Runs it; `say` hears once a second how things are. Bounded by the times of the options and a few seconds. */
export async function runWorld(options: WorldOptions, say: (look: Look) => void): Promise<WorldReport> {
  const sides = { moved: new Side('moved'), stays: new Side('stays') };
  const both = [sides.moved, sides.stays];
  for (const { server } of both.flatMap(({ backends }) => backends))
    await once(server.listen(0, '127.0.0.1'), 'listening');
  const timers: NodeJS.Timeout[] = [];
  try {
    await using leaseway = await Leaseway.start({
      config: {
        workers: 1,
        routes: both.map(({ name }) => ({ name, match: { path: `/${name}` }, cluster: name })),
      },
      clusters: Object.fromEntries(both.map(side => [side.name, side.clusterConfig()])),
    });
    for (const side of both)
      for (let i = 0; i < USERS; i++) {
        const user = new User(`ws://127.0.0.1:${leaseway.port()}/${side.name}`, side);
        side.users.push(user);
        await once(user.socket, 'open');
        // Not all at once.
        setTimeout(
          () => timers.push(setInterval(() => user.say(), PERIOD_MS)),
          (i * PERIOD_MS) / USERS,
        ).unref();
      }
    const startMs = performance.now();
    let phase: Look['phase'] = 'calm';
    const look = async (): Promise<Look> => ({
      ...{ atMs: performance.now() - startMs, phase },
      ...{ moved: await sides.moved.look(leaseway), stays: await sides.stays.look(leaseway) },
    });
    const lookFor = async (ms: number): Promise<void> => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs) {
        await new Promise(over => setTimeout(over, Math.min(1_000, untilMs - performance.now())));
        say(await look());
      }
    };
    await lookFor(options.calmMs);
    phase = 'announced';
    const beginsMs = performance.now() + options.aheadMs;
    const before = sides.moved.busy.users;
    const command = await announce(leaseway, options);
    await lookFor(beginsMs - performance.now());
    phase = 'job';
    const movedBefore = before - sides.moved.busy.users;
    for (const { busy } of both) busy.workMs = WORK_MS * JOB.factor;
    await lookFor(options.watchMs);
    for (const { busy } of both) busy.workMs = WORK_MS;
    phase = 'after';
    const last = await look();
    say(last);
    const decided = (await leaseway.admin('/v1/decisions?limit=1000')).body.items as {
      outcome: string;
      holdMs: number;
    }[];
    return {
      ...{ command, last, movedBefore },
      holdsMs: decided.filter(({ outcome }) => outcome === 'moved').map(({ holdMs }) => holdMs),
      overloaded: { moved: sides.moved.overloaded, stays: sides.stays.overloaded },
    };
  } finally {
    for (const timer of timers) clearInterval(timer);
    for (const side of both) {
      for (const { socket } of side.users) socket.terminate();
      for (const { server } of side.backends) server.close().closeAllConnections();
    }
  }
}

/** Says it of both; the words for one of them. */
async function announce(leaseway: Leaseway, { aheadMs, jobMs }: WorldOptions): Promise<string> {
  const words = (side: string): string[] => [
    ...['announce', `${side}/${JOB.backend}`, '--factor', String(JOB.factor)],
    ...['--in', `${aheadMs / 1000}s`, '--for', `${jobMs / 1000}s`, '--name', 'reindex'],
  ];
  for (const side of ['moved', 'stays']) {
    const { code, err } = await runCli([
      ...words(side),
      ...['--admin', `http://127.0.0.1:${leaseway.serving.admin.port}`],
      ...['--token-file', join(leaseway.folder, 'state/admin-token')],
    ]);
    if (code !== 0) throw new Error(err);
  }
  return `leaseway ${words('moved').join(' ')}`;
}
