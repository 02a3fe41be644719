// CPU of the session plan and of the cookie's path: `node --expose-gc test/bench/sessions.ts [--sessions N] [--seconds N]`.
//
// One cluster of 20 backends, two workers that tell twice a second of all their tunnels, half of them busy in each report; ticks in virtual time as
// fast as they go, one backend always over its line, so that something is planned. Then what a lease costs a request.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from '../../lib/config/cluster.ts';
import type { Seat } from '../../lib/control/session/ports.ts';
import { Sessions } from '../../lib/control/session/sessions.ts';
import { IdSource } from '../../lib/core/ids.ts';
import { below, seededRandom } from '../../lib/core/random.ts';
import type { TunnelMove } from '../../lib/orders/messages.ts';
import { EventCalendar } from '../../lib/plan/forecast/events.ts';
import { leaseCarrier, readLease } from '../../lib/plan/lease/carrier.ts';
import { decideSession } from '../../lib/plan/lease/decide.ts';
import { grantLease } from '../../lib/plan/lease/lease.ts';
import { shedTarget } from '../../lib/plan/lease/shed.ts';
import { LeaseTokens } from '../../lib/plan/lease/token.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';

const PLAN_GOAL = 0.05;
const CACHED_GOAL_US = 1;
const FRESH_GOAL_US = 3;
const BACKENDS = 20;
const WORKERS = 2;
const TICKS_PER_S = 4;

const { values } = parseArgs({
  options: { sessions: { type: 'string', default: '100000' }, seconds: { type: 'string', default: '60' } },
});
const size = Number(values.sessions);
const random = seededRandom(1);
const stateDir = mkdtempSync(join(tmpdir(), 'leaseway-bench-'));
const clock = new FakeClock();

function planner(): void {
  const seats = Array.from({ length: BACKENDS }, (_, slot) => ({
    ...{
      id: `b${slot}`,
      slot,
      slotGeneration: 1,
      state: 'up',
      takesNew: true,
      requests: 0,
      drainUntilMs: null,
    },
    ...{ load: 0.5, ageMs: 0, predicted: 0.5, calendar: new EventCalendar() },
  })) satisfies Seat[];
  const ordered: [number, TunnelMove][] = [];
  const sessions = new Sessions({
    ...{ stateDir, clock, log: new MemoryLog(), maxBackends: 64 },
    seats: () => seats,
    tunnels: () => size,
    watch: () => {},
    order: (worker, moves) => {
      for (const move of moves) ordered.push([worker, move]);
    },
    decided: () => {},
  });
  sessions.configure({ chat: Cluster.parse({ migration: { per_second: 50 } }) });
  const each = size / WORKERS;
  const slots = Array.from({ length: WORKERS }, () =>
    Int32Array.from({ length: each }, () => below(random, BACKENDS)),
  );
  const report = (worker: number) => ({
    sequences: Float64Array.from({ length: each }, (_, i) => i + 1),
    slots: slots[worker]!,
    bytes: new Float64Array(each),
    messages: Float64Array.from({ length: each }, () => below(random, 2)),
    ageMs: new Float64Array(each).fill(60_000),
    movable: new Uint8Array(each).fill(1),
  });
  let cpuUs = 0;
  const timed = (run: () => void): void => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    cpuUs += user + system;
  };
  let moves = 0;
  const ticks = Number(values.seconds) * TICKS_PER_S;
  const warm = 20 * TICKS_PER_S;
  for (let tick = 0; tick < warm + ticks; tick++) {
    if (tick === warm) cpuUs = moves = 0;
    clock.advance(1000 / TICKS_PER_S);
    const count = (slot: number) =>
      slots.reduce((sum, column) => sum + column.reduce((n, at) => n + (at === slot ? 1 : 0), 0), 0);
    for (const seat of seats)
      seat.load = (seat.slot === (tick % 200) >> 4 ? 1.1 : 0.6) * (count(seat.slot) / (size / BACKENDS));
    if (tick % 2 === 0)
      for (let worker = 0; worker < WORKERS; worker++) {
        const told = report(worker);
        timed(() => sessions.heard(worker, told));
      }
    timed(() => void sessions.tick());
    moves += ordered.length;
    for (const [worker, { id, to }] of ordered.splice(0)) {
      const sequence = Number(id.slice(id.indexOf('-') + 1));
      const from = `b${slots[worker]![sequence - 1]}`;
      slots[worker]![sequence - 1] = Number(to!.slice(1));
      timed(() => sessions.moved(worker, [{ id, from, to: to!, result: 'moved', holdMs: 1, reason: '' }]));
    }
  }
  const share = cpuUs / 1e6 / Number(values.seconds);
  globalThis.gc?.();
  say(`plan of ${size} sessions at 4 Hz, of one core (${moves} moves)`, 100 * share, '%', 100 * PLAN_GOAL);
  say('per session and second', (share / size) * 1e9, 'ns');
}

const REQUESTS = 200_000;

function cookies(): void {
  const terms = { type: 'dynamic', termMs: 60_000, rememberMs: 86_400_000 } as const;
  const { sticky } = Cluster.parse({ sticky: { by: 'cookie' } });
  const carrier = leaseCarrier(sticky!, 'web');
  const keys = [{ id: '00c0ffee', secret: new Uint8Array(32).fill(7) }];
  const ids = new IdSource();
  const wallMs = Date.now();
  const signer = new LeaseTokens(keys, 1);
  const place = { cluster: 'web', route: '', backend: 'b1', generation: 1 };
  const heads = Array.from({ length: 4_096 }, () => [
    'cookie',
    `theme=dark; leaseway-web=${signer.sign(grantLease(ids.hex(8), place, terms, wallMs))}`,
  ]);
  const targets = Array.from({ length: BACKENDS }, (_, i) => ({
    seed: below(random, 2 ** 32),
    weight: 1 + (i % 2),
  }));
  const view = (shedFraction: number) =>
    ({ standing: 'up', generation: 1, takesNew: true, shedFraction, shedTurn: 3, leaseMs: 60_000 }) as const;
  let sunk = 0;
  const us = (tokens: () => LeaseTokens, shedFraction: number): number => {
    const backend = view(shedFraction);
    const runs = Array.from({ length: 5 }, () => {
      let held = tokens();
      const before = process.cpuUsage();
      for (let i = 0; i < REQUESTS; i++) {
        if (i % heads.length === 0) held = tokens();
        const lease = readLease(carrier, held, heads[i % heads.length]!, '');
        if (lease === null || typeof lease === 'string') throw new Error(`${lease}`);
        const { reason } = decideSession(lease, backend, terms, wallMs);
        sunk += reason === 'shed' ? shedTarget(lease.id, 3, targets)!.seed & 1 : 1;
      }
      const { user, system } = process.cpuUsage(before);
      return (user + system) / REQUESTS;
    });
    return runs.sort((a, b) => a - b)[2]!;
  };
  const cached = new LeaseTokens(keys, heads.length * 2);
  us(() => cached, 0);
  say(
    'cookie of a request, signature cached',
    us(() => cached, 0),
    'µs',
    CACHED_GOAL_US,
  );
  say(
    '… its backend sheds a tenth, 20 backends',
    us(() => cached, 6_554),
    'µs',
    CACHED_GOAL_US,
  );
  say(
    'cookie of a request, signature new',
    us(() => new LeaseTokens(keys, 8_192), 0),
    'µs',
    FRESH_GOAL_US,
  );
  if (sunk < 0) throw new Error();
}

function say(what: string, value: number, unit: string, goal?: number): void {
  const verdict = goal === undefined ? '' : ` (goal ${goal}, ${value <= goal ? 'met' : 'missed'})`;
  process.stdout.write(`${what.padEnd(64)} ${value.toFixed(2)} ${unit}${verdict}\n`);
}

planner();
cookies();
rmSync(stateDir, { recursive: true });
