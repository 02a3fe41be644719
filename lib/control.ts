// The control thread: reads the configuration, knows the backends, keeps the board, answers operators. Wires, decides nothing.

import { closeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { loadConfig } from './config/load.ts';
import { formatProblem } from './config/problem.ts';
import type { ProxyConfig } from './config/proxy.ts';
import { Actions } from './control/actions.ts';
import type { ListenSource } from './control/admin/endpoint.ts';
import { type AdminServer, createAdminServer } from './control/admin/server.ts';
import type { AdminSettings } from './control/admin/settings.ts';
import { defaultTokenFile, loadToken } from './control/admin/token.ts';
import { LeaseHub } from './control/api/hub.ts';
import { createRegistry } from './control/backend/registry.ts';
import { ControlPlane } from './control/control-plane.ts';
import { CertificateStore, type TlsMaterial } from './control/secrets/certificates.ts';
import { decisionEvent } from './control/session/decision-event.ts';
import { Sessions } from './control/session/sessions.ts';
import { SignalBoard } from './control/signals/board.ts';
import { SignalWatch } from './control/signals/watch.ts';
import { WorkerLinks } from './control/worker-links.ts';
import { systemClock } from './core/clock.ts';
import { LeasewayError, messageOf } from './core/errors.ts';
import { listenError } from './core/listen-error.ts';
import { forwardingLog, type Log } from './core/log.ts';
import { systemRandom } from './core/random.ts';
import type { ControlBirth, ControlCommand, ControlNotice } from './orders/messages.ts';
import { attachControl } from './scoreboard/attach.ts';
import type { Scoreboard } from './scoreboard/layout.ts';
import { silentExporter, startExporter, type TelemetryExporter } from './telemetry/exporter.ts';
import { createLog, type LogEntry } from './telemetry/log.ts';
import { VERSION } from './version.ts';

const birth = workerData as ControlBirth;
const port = parentPort!;
const clock = systemClock;
const ADMIN_AGAIN_MS = 250;
const notify = (notice: ControlNotice): void => port.postMessage(notice);

let exporter: TelemetryExporter = silentExporter;
const tap = (entry: LogEntry): void => exporter.log(entry);
const logFor = (config: ProxyConfig): Log =>
  createLog({ level: config.log.level, format: config.log.format, tap });

interface First {
  readonly config: ProxyConfig;
  readonly files: readonly string[];
  /** Why it is not the files' own. */
  readonly problems: readonly string[];
}

/** Of the files; of what the thread before had in use when the files have gone bad meanwhile. */
async function firstConfig(): Promise<First | null> {
  const loaded = await loadConfig(birth.configPath, process.env);
  const { inherited } = birth;
  if (loaded.ok && inherited?.distrustFiles !== true) {
    const log = logFor(loaded.config);
    if (inherited === null) for (const warning of loaded.warnings) log.warn(formatProblem(warning));
    return { ...loaded, problems: [] };
  }
  const problems = loaded.ok
    ? ['the last start with it failed: see the log']
    : loaded.problems.map(formatProblem);
  if (inherited === null) {
    notify({ kind: 'refused', code: 'CONFIG_INVALID', error: problems.join('\n') });
    return null;
  }
  const log = logFor(inherited.config);
  log.error('the configuration on disk cannot be used; the one in use goes on', {
    problems: problems.length,
  });
  for (const problem of problems.slice(0, 20)) log.error(`  ${problem}`);
  return { config: inherited.config, files: loaded.files, problems };
}

/** The memory comes from the supervisor once it holds the lock; workers that are announced meanwhile wait. */
function boardFromSupervisor(): Promise<{ board: Scoreboard; stateDir: string; early: ControlCommand[] }> {
  if (birth.inherited !== null) return Promise.resolve({ ...birth.inherited, early: [] });
  const early: ControlCommand[] = [];
  return new Promise(resolve => {
    const listen = (command: ControlCommand): void => {
      if (command.kind !== 'board') return void early.push(command);
      port.off('message', listen);
      resolve({ board: command.board, stateDir: command.stateDir, early });
    };
    port.on('message', listen);
  });
}

async function main(): Promise<void> {
  const waiting: ControlCommand[] = [];
  const keep = (command: ControlCommand): void => void waiting.push(command);
  const first = await firstConfig();
  if (first === null) return;
  const boardComes = boardFromSupervisor();
  // Started again, it is not in use before it has proved itself.
  if (birth.inherited === null) notify({ kind: 'configured', config: first.config });
  const { board, stateDir, early } = await boardComes;
  waiting.push(...early);
  port.on('message', keep);

  let log = logFor(first.config);
  // Parts keep the log they were given; its level and format follow the configuration.
  const currentLog = forwardingLog(() => log);
  const controlBoard = attachControl(board);
  const signals = new SignalBoard();
  const registry = createRegistry({
    board: controlBoard,
    clock,
    random: systemRandom,
    log: currentLog,
    stateDir,
    agents: signals,
    signals,
    maxBackends: first.config.max_backends,
  });
  const watch = new SignalWatch({
    board: controlBoard,
    ...{ signals, clock, random: systemRandom, log: currentLog },
  });
  const links: WorkerLinks = new WorkerLinks(clock, {
    spans: spans => exporter.spans(spans),
    activity: (row, activity) => sessions.heard(row, activity),
    moved: (row, moves) => sessions.moved(row, moves),
    leases: (row, report) => hub.heard(row, report),
    gone: row => {
      sessions.gone(row);
      hub.gone(row);
    },
  });
  const hub = new LeaseHub({
    send: (row, order) => links.send(row, order),
    broadcast: order => links.broadcast(order),
    seats: () => registry.entries().flatMap(({ name }) => registry.seats(name)),
  });
  const sessions = new Sessions({
    ...{ stateDir, clock, log: currentLog, maxBackends: first.config.max_backends },
    seats: cluster => registry.seats(cluster),
    tunnels: () => links.rows.reduce((sum, row) => sum + controlBoard.worker(row).tunnels, 0),
    watch: everyMs => links.watchTunnels(everyMs),
    order: (row, moves) => links.moveTunnels(row, moves),
    decided: record => exporter.log(decisionEvent(record)),
  });
  let plane: ControlPlane | null = null;
  const actions = new Actions({
    version: VERSION,
    configPath: resolve(birth.configPath),
    startedMs: birth.startedMs,
    workerRows: board.shape.workers,
    board: controlBoard,
    registry,
    sessions,
    signals,
    watch,
    clock,
    links,
    plane: () => plane!,
    notify,
  });

  let admin: AdminServer | null = null;
  let telemetry = '';
  const reconfigured = async (config: ProxyConfig, tls: TlsMaterial): Promise<void> => {
    const token = adminToken(config, stateDir, admin === null ? birth.inherited : null, currentLog);
    const settings = adminSettings(config, tls, stateDir, token);
    if (admin === null) {
      admin = createAdminServer({ ...settings, actions, clock, log: currentLog });
      const { adminSocket, adminPort } = birth;
      const inherits = adminSocket !== null && adminSocket.address === config.admin.address;
      // Left open, it would take in operators whom nobody answers.
      if (adminSocket !== null && !inherits) closeSync(adminSocket.fd);
      const given = config.admin.address.endsWith(':0') && adminPort !== null ? { port: adminPort } : {};
      const source = inherits ? { fd: adminSocket.fd } : { address: config.admin.address, ...given };
      await listenAdmin(admin, source, config.admin.address);
    } else {
      const socket = await admin.update(settings);
      if (socket !== null) notify({ kind: 'admin-listening', socket });
    }
    notify({ kind: 'secrets-read', secrets: { adminToken: token } });
    log = logFor(config);
    const wanted = JSON.stringify(config.telemetry);
    if (wanted === telemetry) return;
    telemetry = wanted;
    const before = exporter;
    exporter = await startExporter({
      config: config.telemetry,
      source: {
        board: controlBoard,
        routes: () => plane?.routeSlots ?? [],
        backends: () => registry.status(),
        forecasts: () => registry.forecasts.report(),
        signals: (cluster, backend) => signals.report(cluster, backend, clock.monotonicMs()),
        workerRows: () => Array.from({ length: board.shape.workers }, (_, row) => row),
      },
      clock,
      log: currentLog,
      version: VERSION,
      startMs: birth.startedMs,
    });
    await before[Symbol.asyncDispose]();
  };

  plane = await ControlPlane.start(
    {
      configPath: birth.configPath,
      stateDir,
      clock,
      log: currentLog,
      board: controlBoard,
      registry,
      certificates: new CertificateStore({ clock, log: currentLog, lastGood: birth.inherited?.tls }),
      signals: watch,
      links,
      sessions,
      hub,
      generation: birth.inherited?.generation ?? 0,
      leaseSecret: birth.inherited?.secrets.leaseSecret,
      problems: first.problems,
      notify,
      reconfigured,
    },
    first.config,
    first.files,
  );
  if (birth.inherited !== null) notify({ kind: 'configured', config: first.config });

  const onCommand = (command: ControlCommand): void => {
    switch (command.kind) {
      case 'worker':
        return links.add(command.row, command.port);
      case 'worker-gone':
        return links.remove(command.row);
      case 'serving':
        return plane.servingOn(command.addresses);
      case 'listen-failed':
        return plane.listenFailed(command, command.error);
      case 'reload':
        return void plane.reload().catch(() => {});
      case 'upgrade-result':
        return actions.upgraded(command.requestId, command);
      case 'upgrading':
        actions.upgrading = command.on;
        return;
      case 'draining':
        actions.leaving = true;
        if (command.successor) {
          plane.standDown();
          void admin?.leave();
        }
        return;
      case 'stop':
        return void stop();
    }
  };
  const stop = async (): Promise<void> => {
    await admin?.close();
    await plane[Symbol.asyncDispose]();
    await exporter[Symbol.asyncDispose]();
    notify({ kind: 'stopped' });
  };
  port.off('message', keep);
  port.on('message', onCommand);
  for (const command of waiting) onCommand(command);
  flushCompileCache();
}

/** In a takeover the port comes free when the process that is replaced has gone; until then that one answers. */
async function listenAdmin(admin: AdminServer, source: ListenSource, address: string): Promise<void> {
  try {
    notify({ kind: 'admin-listening', socket: await admin.listen(source) });
  } catch (error) {
    if (birth.takeover && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      clock.after(ADMIN_AGAIN_MS, () => void listenAdmin(admin, source, address));
      return;
    }
    if (error instanceof LeasewayError) throw error;
    throw new LeasewayError('LISTEN_FAILED', `admin ${address}: ${listenError(error)}`, error);
  }
}

/** Throws CONFIG_INVALID; a thread that starts again has the token in use instead, while its file is bad. */
function adminToken(
  { admin }: ProxyConfig,
  stateDir: string,
  inherited: ControlBirth['inherited'],
  log: Log,
): string {
  try {
    return loadToken({ tokenFile: admin.token_file, stateDir });
  } catch (error) {
    const kept = inherited?.secrets.adminToken;
    if (kept === undefined || inherited?.config.admin.token_file !== admin.token_file) throw error;
    log.error('the admin token cannot be read; the one in use goes on', { reason: messageOf(error) });
    return kept;
  }
}

function adminSettings(
  config: ProxyConfig,
  tls: TlsMaterial,
  stateDir: string,
  token: string,
): AdminSettings {
  const { admin } = config;
  const tokenFile = admin.token_file ?? defaultTokenFile(stateDir);
  return {
    config: admin,
    token,
    tokenFile,
    tls:
      admin.tls === undefined
        ? null
        : {
            certificates: tls.admin.certificates,
            clientCa: tls.admin.clientCa,
            clientRequired: admin.tls.client_auth === 'required',
            minVersion: admin.tls.min_version,
            handshakeTimeoutMs: admin.tls.handshake_timeout,
          },
  };
}

main().catch(error => {
  // At the first start that is a reason to end; later the supervisor starts this thread again.
  if (birth.inherited === null) {
    notify({
      kind: 'refused',
      code: error instanceof LeasewayError ? error.code : 'INTERNAL',
      error: `leaseway: ${error instanceof LeasewayError ? error.message : (error.stack ?? messageOf(error))}`,
    });
  } else throw error;
});
