// What operators do to the process: reload, upgrade, shut down.

import { json } from '../answer.ts';
import { route } from '../route.ts';
import { Changed, Reloaded, Upgraded } from '../schemas.ts';
import { changedExample } from './examples.ts';
import { withRevision } from './state.ts';

// Discovery may take two seconds a cluster to answer first; a new process loads, checks and starts its workers.
const RELOAD_TIMEOUT_MS = 30_000;
const UPGRADE_TIMEOUT_MS = 120_000;

export const processRoutes = [
  route({
    method: 'POST',
    path: '/v1/reload',
    tag: 'process',
    summary: 'Read the configuration again and apply what changed',
    details: 'An invalid configuration changes nothing and is answered with 422 and every problem.',
    timeoutMs: RELOAD_TIMEOUT_MS,
    answers: {
      200: {
        says: 'It is in use',
        schema: Reloaded,
        example: { generation: 4, changes: ['+ cluster chat', '~ route api'] },
      },
    },
    async handle({ actions }) {
      const { generation, changes } = await actions.reload();
      return json({ generation, changes });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/upgrade',
    tag: 'process',
    summary: 'Hand over to a new process',
    details: 'It takes the listening sockets; this one finishes what it has and ends within its deadline.',
    timeoutMs: UPGRADE_TIMEOUT_MS,
    answers: { 200: { says: 'The new process serves', schema: Upgraded, example: { pid: 4343 } } },
    async handle({ actions }) {
      const { pid } = await actions.upgrade();
      return json({ pid });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/shutdown',
    tag: 'process',
    summary: 'Stop accepting, finish what is in flight, end',
    answers: { 202: { says: 'It has begun', schema: Changed, example: changedExample } },
    handle({ actions }) {
      actions.shutdown();
      return withRevision({}, actions, 202);
    },
  }),
];
