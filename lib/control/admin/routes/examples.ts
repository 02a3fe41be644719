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
  load: 0.31,
  predicted: 0.34,
  gate: 'open',
  gateReason: '',
  outside: false,
  sessionsStaying: null,
  doubt: 'none',
  requests: 120_934,
  failures: 2,
  generation: 7,
  source: 'static',
  signals: [{ signal: 'cpu', value: 0.62, ageMs: 340, source: 'orca' }],
  sources: [
    { source: 'orca', name: '', ok: true, detail: 'with answers', ageMs: 340, failures: 0, refused: 0 },
  ],
};

const secondExample = {
  atMs: 91_000,
  requestsPerSecond: 41,
  answersPerSecond: 40,
  errorsPerSecond: 0,
  latencyMs: 74,
  inFlight: 3,
  connections: 41,
  bytesInPerSecond: 0,
  bytesOutPerSecond: 51_200,
};

export const eventExample = {
  id: 'reindex-k3x9ab',
  cluster: 'web',
  name: 'reindex',
  backends: ['web-1'],
  factor: 4,
  startMs: 1_763_640_310_000,
  endMs: 1_763_640_340_000,
  source: 'announced',
};

const backendForecastExample = {
  cluster: 'web',
  id: 'web-1',
  load: 0.31,
  resource: 'in_flight',
  ageMs: 0,
  shares: [{ resource: 'in_flight', share: 0.31, ageMs: 0, capacity: 'configured', sure: true }],
  doubt: 'none',
  state: 'fine',
  horizons: [{ horizonMs: 10_000, p50: 1.18, p90: 1.34, overload: 0.97 }],
  again: null,
  predicted: 1.18,
  gate: 'shut',
  gateReason: 'predicted load 1.18 is over 0.70',
  outside: false,
  events: ['reindex'],
};

export const forecastDetailExample = {
  ...backendForecastExample,
  reason: {
    ...{ horizonMs: 10_000, point: 0.3, periodMs: 0, signalAgeMs: 0 },
    members: [{ name: 'regression', forecast: 0.3, weight: 0.8 }],
  },
  seconds: [secondExample],
};

export const forecastExample = {
  cluster: 'web',
  meanPredicted: 0.48,
  quality: [
    {
      horizonMs: 10_000,
      mase: 0.74,
      pinballP50: 0.012,
      pinballP90: 0.006,
      coverageP90: 0.91,
      recall: null,
      precision: null,
      foreseen: null,
      leadMs: null,
    },
  ],
  events: [eventExample],
  backends: [backendForecastExample],
  outlook: {
    demand: 1.31,
    backends: 3,
    knownMs: 1_814_400_000,
    trainedMs: 1_795_046_400_000,
    horizons: [
      {
        horizonMs: 900_000,
        p50: 0.47,
        p90: 0.55,
        demandP90: 1.65,
        models: [
          { name: 'simple', weight: 0.21 },
          { name: 'regression', weight: 0.28 },
          { name: 'network', weight: 0.51 },
        ],
        quality: {
          minutes: 10_012,
          mase: 0.71,
          simple: 0.78,
          regression: 0.76,
          network: 0.72,
          gain: 0.96,
          standing: 'in_use',
        },
      },
    ],
  },
};

export const trainingExample = {
  state: 'idle',
  cluster: null,
  done: 4,
  failed: 0,
  cpuMs: 4_210,
  failure: null,
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
  movable: true,
  bytesIn: 1_204,
  bytesOut: 88_210,
};

export const explainedExample = {
  cluster: 'web',
  worker: 0,
  policy: 'predictive',
  rule: 'where it is expected to be done first, of all; of like ones the fewest in flight',
  choice: 'web-1',
  controlAgeMs: 104,
  backends: [
    {
      id: 'web-1',
      state: 'up',
      candidate: true,
      inFlight: 3,
      concurrency: 0,
      weight: 1,
      effectiveWeight: 1,
      latencyMs: 21.4,
      predicted: 0.41,
      gate: 'open',
      score: 20.9,
      figures: { done_ms: 20.9, service_ms: 19.8, room: 12, queue: 3, failing: 0 },
      remark: '',
    },
  ],
};

export const movedExample = {
  id: '1-4711',
  from: 'chat-1',
  to: 'chat-2',
  result: 'moved',
  holdMs: 0.8,
  reason: 'operator',
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
