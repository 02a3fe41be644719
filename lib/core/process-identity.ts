// Which process is this: an id alone is reused, so on Linux its start time and the boot it belongs to are part of the name.

import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot at which it started; empty where the system does not say. */
  readonly startTicks: string;
  /** Of this run of the machine; empty where the system does not say. */
  readonly bootId: string;
}

/** The identity of a process as of now; its start is empty when there is none, or none that can be told. */
export function processIdentity(pid: number): ProcessIdentity {
  const stat = readStat(pid);
  return { pid, startTicks: stat?.startTicks ?? '', bootId: bootId() };
}

/** True unless it is certain that the process is gone (or only a zombie, which holds nothing any more). */
export function isSameProcessAlive(known: ProcessIdentity): boolean {
  if (!Number.isInteger(known.pid) || known.pid <= 0) return false;
  const boot = bootId();
  if (known.bootId !== '' && boot !== '' && known.bootId !== boot) return false;
  if (!answersSignals(known.pid)) return false;
  const stat = readStat(known.pid);
  if (stat === undefined) return true;
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return known.startTicks === '' || known.startTicks === stat.startTicks;
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Fields 3 and 22 of proc(5)'s stat; the command in between may hold spaces and parentheses. */
function readStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
