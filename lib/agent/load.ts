// Two readings of the machine → its load: shares of what is there, 0 to 1.

import type { MachineReading } from './machine.ts';

/** Null where the machine does not say. */
export interface MachineLoad {
  readonly cpu: number | null;
  readonly memory: number | null;
  /** Of the busiest device, in its busier direction. */
  readonly network: number | null;
  /** Of the busiest disk. */
  readonly disk: number | null;
  readonly connections: number | null;
}

export function loadBetween(before: MachineReading, now: MachineReading, elapsedMs: number): MachineLoad {
  return {
    cpu: cpuShare(before.cpu, now.cpu),
    memory: now.memory === null ? null : share(now.memory.used, now.memory.total),
    network: largest(now.network, before.network, (device, then) => {
      const bytes = Math.max(device.received - then.received, device.sent - then.sent);
      return share(bytes, (device.bytesPerSecond * elapsedMs) / 1000);
    }),
    disk: largest(now.disks, before.disks, (busyMs, then) => Math.min(1, share(busyMs - then, elapsedMs))),
    connections: now.connections,
  };
}

function cpuShare(before: MachineReading['cpu'], now: MachineReading['cpu']): number | null {
  if (before === null || now === null) return null;
  const available = now.available - before.available;
  return available > 0 ? share(now.used - before.used, available) : null;
}

const share = (part: number, whole: number): number => (whole > 0 ? Math.max(0, part / whole) : 0);

/** Over the devices that both readings have. */
function largest<T>(
  now: Readonly<Record<string, T>>,
  before: Readonly<Record<string, T>>,
  shareOf: (now: T, before: T) => number,
): number | null {
  const shares = Object.entries(now).flatMap(([name, figures]) =>
    before[name] === undefined ? [] : [shareOf(figures, before[name])],
  );
  return shares.length === 0 ? null : Math.max(...shares);
}
