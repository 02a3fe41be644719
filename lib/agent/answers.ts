// The load as each protocol has it: a page of metrics, a line for HAProxy's agent-check, an ORCA report.

import { writeBinary } from '../core/orca/binary.ts';
import type { MachineLoad } from './load.ts';

export interface AgentState {
  readonly load: MachineLoad;
  /** Requests at once that the backend can bear; 0 for unsaid. */
  readonly capacity: number;
}

/** Prometheus text 0.0.4; leaseway's own `scrape` knows these names. */
export function metricsPage({ load, capacity }: AgentState): string {
  const lines: string[] = [];
  const gauge = (name: string, help: string, value: number | null): void => {
    if (value !== null) lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value}`);
  };
  gauge('leaseway_agent_cpu_utilization', 'Share of the processors in use.', load.cpu);
  gauge('leaseway_agent_memory_utilization', 'Share of the memory in use.', load.memory);
  gauge('leaseway_agent_network_utilization', 'Share of the bandwidth of the busiest device.', load.network);
  gauge('leaseway_agent_disk_utilization', 'Share of time that the busiest disk was at work.', load.disk);
  gauge('leaseway_agent_connections', 'Connections to the port of the backend.', load.connections);
  gauge(
    'leaseway_agent_capacity',
    'Requests at once that the backend can bear.',
    capacity === 0 ? null : capacity,
  );
  return `${lines.join('\n')}\n`;
}

/** How much of its CPU is idle; at least 1 %, since 0 % would take the backend out. */
export function checkLine({ load, capacity }: AgentState): string {
  const idle = Math.max(1, Math.min(100, Math.round(100 * (1 - (load.cpu ?? 0)))));
  return `up ${idle}%${capacity === 0 ? '' : ` maxconn:${capacity}`}\n`;
}

/** xds.data.orca.v3.OrcaLoadReport. */
export function orcaReport({ load, capacity }: AgentState): Buffer {
  const named: Record<string, number> = {};
  if (load.connections !== null) named.connections = load.connections;
  if (capacity !== 0) named.capacity = capacity;
  const utilization: Record<string, number> = {};
  if (load.network !== null) utilization.network = load.network;
  if (load.disk !== null) utilization.disk = load.disk;
  return writeBinary({ cpu: load.cpu ?? 0, memory: load.memory ?? 0, utilization, named });
}
