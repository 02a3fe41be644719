// A data-plane thread: serves by the snapshot it has, whatever becomes of the control plane. Wires, decides nothing.

import { flushCompileCache } from 'node:module';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from './core/clock.ts';
import { messageOf } from './core/errors.ts';
import { IdSource } from './core/ids.ts';
import { forwardingLog, type Log } from './core/log.ts';
import { systemRandom } from './core/random.ts';
import { Departure } from './data/departure.ts';
import { Descriptors } from './data/descriptors.ts';
import { Listeners } from './data/listeners.ts';
import { DataPlane } from './data/plane.ts';
import type { Order, Report, WorkerBirth, WorkerCommand, WorkerNotice } from './orders/messages.ts';
import type { Snapshot } from './orders/snapshot.ts';
import { attachWorker } from './scoreboard/attach.ts';
import { openAccessLog } from './telemetry/access-log.ts';
import { createLog } from './telemetry/log.ts';
import { SpanSender } from './telemetry/span-sender.ts';
import { SamplingTracer } from './telemetry/tracer.ts';

const birth = workerData as WorkerBirth;
const supervisor = parentPort!;
const notify = (notice: WorkerNotice): void => supervisor.postMessage(notice);
const clock = systemClock;
const BEAT_MS = 250;

// Now, while nobody waits for this thread: whoever starts next finds the code compiled. Nothing is written where all was found.
flushCompileCache();

const { ledger, clients, decisions } = attachWorker(birth.board, birth.row);
const spans = new SpanSender(clock, ledger);
const tracer = new SamplingTracer(new IdSource(), span => spans.push(span), { recording: false, sample: 0 });
let log: Log = createLog({ level: 'info', format: 'text' });
const currentLog = forwardingLog(() => log, { worker: birth.row });
const descriptors = new Descriptors(clock, currentLog);
const plane = new DataPlane({
  ...{ clock, random: systemRandom, log: currentLog, ledger, clients, decisions, tracer },
  row: birth.row,
  workers: birth.workers,
  descriptors,
});
const listeners = new Listeners(
  { handler: plane, clock, log: currentLog, ledger, clients, descriptors },
  birth.inherited,
  birth.ports,
  birth.exclusive,
);
let logOf = '';
let accessLogOf = 'off';
let ready = false;

async function use(snapshot: Snapshot, report: (report: Report) => void): Promise<void> {
  try {
    plane.use(snapshot);
  } catch (error) {
    // The control plane has checked it; what it missed must not stop a worker that serves.
    return currentLog.error('a snapshot is refused; the former goes on', {
      generation: snapshot.generation,
      reason: messageOf(error),
    });
  }
  const { config } = snapshot;
  if (logOf !== JSON.stringify(config.log)) {
    logOf = JSON.stringify(config.log);
    log = createLog({ level: config.log.level, format: config.log.format });
  }
  tracer.configure({ recording: config.telemetry.otlp !== undefined, sample: config.telemetry.sample });
  if (config.log.access !== accessLogOf) {
    plane.accessLog?.[Symbol.dispose]();
    accessLogOf = config.log.access;
    plane.accessLog =
      accessLogOf === 'off'
        ? null
        : openAccessLog({ destination: accessLogOf, clock, ledger, log: currentLog });
  }
  await serveLeases(snapshot);
  const failures = await listeners.apply(snapshot);
  for (const { address, error } of failures) notify({ kind: 'listen-failed', address, error });
  report({ kind: 'applied', generation: snapshot.generation });
  if (!ready && failures.length === 0) {
    ready = true;
    notify({ kind: 'ready', sockets: listeners.sockets });
  }
}

/** The protocols are half a tenth of a second to load, and 4 MB: only where a route wants them. */
async function serveLeases({ config, clusters }: Snapshot): Promise<void> {
  const wanted =
    clusters.some(({ config: { websocket } }) => websocket.migrate === 'sdk') ||
    config.routes.some(({ websocket }) => typeof websocket === 'object' && websocket.migrate === 'sdk');
  if (!wanted) plane.leaseService = null;
  else plane.leaseService ??= (await import('./rpc/service.ts')).leaseService(plane.leases);
}

function obey(order: Order, report: (report: Report) => void): void {
  switch (order.kind) {
    case 'snapshot':
      return void use(order.snapshot, report);
    case 'list-connections':
      return report({
        kind: 'connections',
        requestId: order.requestId,
        total: plane.tunnels.size,
        items: plane.tunnels.list(order.limit),
      });
    case 'explain':
      return report({
        kind: 'explained',
        requestId: order.requestId,
        explained: plane.explain(order.question),
      });
    case 'end-tunnels':
      return plane.tunnels.endSlots(order.endings);
    case 'move-tunnels':
      return plane.tunnels.move(order.moves);
    case 'leases-followed':
      return plane.followed.note(order.moves);
    case 'watch-tunnels':
      return plane.tunnels.watch(order.everyMs, activity => report({ kind: 'tunnel-activity', activity }));
    case 'end-connection':
      return void plane.tunnels.end(order.id);
    case 'reopen-logs':
      return plane.accessLog?.reopen();
    case 'lease-news':
    case 'lease-unheard':
    case 'lease-answer':
    case 'lease-answered':
    case 'backend-status':
      return plane.leases.obey(order);
    case 'ack':
      return spans.acknowledge(order.upTo);
  }
}

function connect(control: MessagePort): void {
  const report = (message: Report): void => control.postMessage(message);
  control.on('message', (order: Order) => obey(order, report));
  spans.connect(report);
  plane.leases.connect(report);
  // A control plane that begins anew has not asked to watch.
  plane.tunnels.watch(0, () => {});
  plane.tunnels.onMoved(moves => report({ kind: 'tunnels-moved', moves }));
  plane.followed.onMoved(move => report({ kind: 'leases-followed', moves: [move] }));
}

const departure = new Departure(plane, listeners, clock, cut => {
  plane.accessLog?.[Symbol.dispose]();
  spans.flush();
  notify({ kind: 'drained', cut });
});

supervisor.on('message', (command: WorkerCommand) => {
  if (command.kind === 'control') connect(command.port);
  else if (command.kind === 'drain')
    departure.begin(command.deadlineMs, command.pacePerSecond, command.idleMs);
  else notify({ kind: 'listening', sockets: listeners.sockets });
});

/** A defect ends this worker. Its connections go first, so that clients hear of it before the thread is torn down. */
process.on('uncaughtException', error => {
  notify({ kind: 'failed', reason: error.stack ?? messageOf(error) });
  plane.tunnels.destroyAll();
  listeners.destroyAll();
  setImmediate(() => process.exit(1));
});

let upstreamConnections = 0;
ledger.heartbeat();
setInterval(() => {
  ledger.heartbeat();
  descriptors.beat();
  const open = plane.upstreamConnections();
  ledger.add('upstreamConnections', open - upstreamConnections);
  upstreamConnections = open;
}, BEAT_MS);
