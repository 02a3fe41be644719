// Processes of the bench: started, tied to cores, asked of the kernel for what they have used, ended.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';

const SERVES_WITHIN_MS = 15_000;
/** Of utime and stime in /proc: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

const CORES = availableParallelism();
/** Two workers are measured where each has a core and load and backend have two. */
export const ROOM_FOR_TWO = CORES >= 4;
/** What is measured has the first core to itself, two workers the first two; load and backend share the rest. */
export const PROXY_CORES = '0';
export const TWO_CORES = '0-1';
export const OTHER_CORES = ROOM_FOR_TWO ? `2-${CORES - 1}` : CORES > 1 ? `1-${CORES - 1}` : '0';

/** Ties a process, its threads and its children to these cores. */
export function pin(pid: number, cores: string): void {
  for (const one of family(pid))
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(one)], { stdio: 'ignore' });
}

/** The process and its descendants. */
function family(pid: number): number[] {
  const found = [pid];
  const tasks = readdirSync(`/proc/${pid}/task`);
  for (const task of tasks) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    if (children !== '') for (const child of children.split(' ')) found.push(...family(Number(child)));
  }
  return found;
}

/** CPU time of a process and its descendants so far, in µs, in steps of 10 ms. */
export function cpuUs(pid: number): number {
  let ticks = 0;
  for (const one of family(pid)) ticks += ticksOf(readFileSync(`/proc/${one}/stat`, 'utf8'));
  return ticks * TICK_US;
}

/** utime and stime out of a line of /proc/PID/stat, whose second field may hold blanks and brackets. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Memory of a process and its descendants that is its own and resident, in KiB. */
export function residentKiB(pid: number): number {
  let sum = 0;
  for (const one of family(pid))
    sum += Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0);
  return sum;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when somebody listens; throws with the end of its log when the process ends before. */
export async function serves(child: ChildProcess, port: number, log: string): Promise<void> {
  const end = performance.now() + SERVES_WITHIN_MS;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<boolean>(done => socket.once('error', () => done(false))),
    ]);
    socket.destroy();
    if (open) return;
    if (child.exitCode !== null || performance.now() > end)
      throw new Error(
        `${child.spawnargs.join(' ')} does not serve:\n${readFileSync(log, 'utf8').slice(-2000)}`,
      );
    await new Promise(again => setTimeout(again, 50));
  }
}

/** Starts a program with its output in a file, and whatever it keeps beside it. */
export function start(program: string, args: readonly string[], log: string): ChildProcess {
  const file = openSync(log, 'a');
  const home = dirname(log);
  return spawn(program, args, {
    stdio: ['ignore', file, file],
    env: { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
  });
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(late);
}
