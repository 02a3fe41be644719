// The values that the documentation shows; a test holds each against its schema.

import { WORKER_COUNTERS, WORKER_GAUGES, type WorkerCounter } from '../../../scoreboard/ports.ts';

export const backendExample = {
  cluster: 'web',
  id: 'web-1',
  url: 'http://10.0.0.11:8000',
  slot: 0,
  admin: 'drain',
  health: 'up',
  healthDetail: '200 in 2 ms',
  ejectedUntilMs: null,
  state: 'draining',
  weight: 1,
  effectiveWeight: 0,
  inFlight: 3,
  limit: 100,
  tunnels: 41,
  drainUntilMs: 1_763_640_300_000,
  requests: 120_934,
  failures: 2,
  generation: 7,
  source: 'static',
  signals: [{ signal: 'cpu', value: 0.62, ageMs: 340, source: 'orca' }],
  sources: [
    { source: 'orca', name: '', ok: true, detail: 'with answers', ageMs: 340, failures: 0, refused: 0 },
  ],
};

export const connectionExample = {
  id: '1-4711',
  protocol: 'websocket',
  client: '203.0.113.7',
  route: 'chat',
  cluster: 'chat',
  backend: 'chat-1',
  slot: 4,
  ageMs: 92_000,
  bytesIn: 1_204,
  bytesOut: 88_210,
};

const counters = Object.fromEntries([...WORKER_GAUGES, ...WORKER_COUNTERS].map(name => [name, 0])) as Record<
  WorkerCounter,
  number
>;

export const statusExample = {
  version: '0.1.0',
  pid: 4242,
  startedMs: 1_763_600_000_000,
  configPath: '/etc/leaseway',
  generation: 3,
  loadedMs: 1_763_600_100_000,
  reloadProblems: [],
  ready: true,
  notReady: [],
  stopping: false,
  listeners: [{ address: '0.0.0.0:443', port: 443, tls: true }],
  workers: [{ row: 0, alive: true, counters }],
  backends: [backendExample],
  revision: 12,
};

export const changedExample = { revision: 13 };
