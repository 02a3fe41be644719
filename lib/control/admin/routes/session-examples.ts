// The values that the documentation shows of sessions; a test holds each against its schema.

export const decisionExample = {
  sequence: 4711,
  atMs: 1_763_640_310_000,
  cluster: 'chat',
  kind: 'migration',
  reason: 'forecast',
  session: '1-4711',
  from: 'chat-1',
  to: 'chat-2',
  fromLevel: 1.12,
  toLevel: 0.61,
  outcome: 'moved',
  holdMs: 0.8,
  detail: '',
};

export const leaseExample = {
  id: '1-4711',
  cluster: 'chat',
  backend: 'chat-1',
  type: 'dynamic',
  placedMs: 92_000,
  messagesPerSecond: 1.2,
  movingTo: null,
};

export const drainPlanExample = {
  cluster: 'chat',
  backend: 'chat-1',
  load: 0.4,
  movable: 205,
  ending: 0,
  finishMs: 1_763_640_900_000,
  shares: [{ id: 'chat-2', load: 0.3, after: 0.7, sessions: 205 }],
  objection: '',
};

export const freezeExample = { cluster: 'chat', sinceMs: 1_763_640_300_000 };

export const sessionsExample = {
  cluster: 'chat',
  mode: 'act',
  frozen: true,
  sessions: 412,
  unplanned: 0,
  underWay: 3,
  stuck: [{ backend: 'chat-1', why: 'budget' }],
  backends: [{ backend: 'chat-1', sessions: 205, now: 0.71, ahead: 1.08, termMs: 60_000, shed: 0.12 }],
};
