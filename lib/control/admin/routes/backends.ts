// What operators do to backends: drain them, take them out, weigh them, add and remove them.

import * as z from 'zod';
import { backendId } from '../../../config/cluster.ts';
import { optionalDuration } from '../../../config/scalars.ts';
import { LeasewayError } from '../../../core/errors.ts';
import type { ControlActions } from '../ports.ts';
import { route } from '../route.ts';
import { BackendView, Changed, NewBackend } from '../schemas.ts';
import { DrainPlanView } from '../session-schemas.ts';
import { backendExample, changedExample } from './examples.ts';
import { drainPlanExample } from './session-examples.ts';
import { backendOf, withRevision } from './state.ts';

const view = {
  says: 'The backend as it is now',
  schema: BackendView,
  example: { revision: 13, backend: backendExample },
};

const answered = (actions: ControlActions, cluster: string, id: string, status = 200) =>
  withRevision({ backend: backendOf(actions, cluster, id) }, actions, status);

const planOf = (actions: ControlActions, cluster: string, id: string, deadlineMs?: number) => {
  const { tunnels } = backendOf(actions, cluster, id);
  return actions.sessions.drainPlan(cluster, id, tunnels, deadlineMs);
};

export const backends = [
  route({
    method: 'GET',
    path: '/v1/backends/{cluster}/{id}/drain-plan',
    tag: 'backends',
    summary: 'What draining it would do: who receives what, loads afterwards, when it is done',
    details: 'By the loads foreseen now, and as if all backends were equally large. Nothing is changed.',
    query: z.strictObject({ deadline: optionalDuration() }),
    answers: { 200: { says: 'The plan', schema: DrainPlanView, example: { plan: drainPlanExample } } },
    handle: ({ actions, params: { cluster, id }, query }) =>
      withRevision({ plan: planOf(actions, cluster!, id!, query.deadline) }, actions),
  }),
  route({
    method: 'POST',
    path: '/v1/backends/{cluster}/{id}/drain',
    tag: 'backends',
    summary: 'Give it no new sessions and let what it has end',
    details: 'What is left at the deadline is ended. Asked again while draining, it sets a new deadline.',
    body: {
      schema: z.strictObject({
        deadline: optionalDuration().describe('From now; the cluster’s drain.deadline when left out'),
        force: z
          .boolean()
          .default(false)
          .describe('Also when the others are predicted to be overloaded by it, which is else 409'),
      }),
      example: { deadline: '5m', force: true },
    },
    answers: { 200: view },
    handle({ actions, params: { cluster, id }, body }) {
      const { objection, shares } = planOf(actions, cluster!, id!, body.deadline);
      // Who is the only one may go: that overloads nobody.
      if (!body.force && objection !== '' && shares.length > 0)
        throw new LeasewayError('CONFLICT', `${id} is not drained: ${objection}; force does it all the same`);
      actions.backends.drain(cluster!, id!, body.deadline);
      return answered(actions, cluster!, id!);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/backends/{cluster}/{id}/undrain',
    tag: 'backends',
    summary: 'Take it back into service',
    details: 'Ends a drain as well as maintenance.',
    answers: { 200: view },
    handle({ actions, params: { cluster, id } }) {
      actions.backends.undrain(cluster!, id!);
      return answered(actions, cluster!, id!);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/backends/{cluster}/{id}/maintenance',
    tag: 'backends',
    summary: 'Take it out at once',
    details: 'It gets nothing more, not even the sessions it holds. To let those end first, drain it.',
    answers: { 200: view },
    handle({ actions, params: { cluster, id } }) {
      actions.backends.maintenance(cluster!, id!);
      return answered(actions, cluster!, id!);
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/backends/{cluster}/{id}/weight',
    tag: 'backends',
    summary: 'Weigh it differently from its configuration',
    body: {
      schema: z.strictObject({
        weight: z.number().min(0).max(1000).nullable().describe('null goes back to the configured weight'),
      }),
      example: { weight: 2 },
    },
    answers: { 200: view },
    handle({ actions, params: { cluster, id }, body }) {
      actions.backends.setWeight(cluster!, id!, body.weight);
      return answered(actions, cluster!, id!);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/clusters/{cluster}/backends',
    tag: 'backends',
    summary: 'Add a backend',
    details: 'It survives reload and restart until it is removed by the API again.',
    body: { schema: NewBackend, example: { id: 'web-9', url: 'http://10.0.0.19:8000', weight: 1 } },
    answers: { 201: { ...view, says: 'It is known from now on' } },
    handle({ actions, params: { cluster }, body }) {
      actions.backends.add(cluster!, body);
      return answered(actions, cluster!, backendId(body), 201);
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/backends/{cluster}/{id}',
    tag: 'backends',
    summary: 'Remove a backend that the API added',
    details: 'Others belong to the configuration or to discovery and are removed there.',
    answers: { 200: { says: 'It is gone', schema: Changed, example: changedExample } },
    handle({ actions, params: { cluster, id } }) {
      actions.backends.remove(cluster!, id!);
      return withRevision({}, actions);
    },
  }),
];
