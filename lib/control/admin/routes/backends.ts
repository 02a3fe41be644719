// What operators do to backends: drain them, take them out, weigh them, add and remove them.

import * as z from 'zod';
import { backendId } from '../../../config/cluster.ts';
import { optionalDuration } from '../../../config/scalars.ts';
import type { ControlActions } from '../ports.ts';
import { route } from '../route.ts';
import { BackendView, Changed, NewBackend } from '../schemas.ts';
import { backendExample, changedExample } from './examples.ts';
import { backendOf, withRevision } from './state.ts';

const view = {
  says: 'The backend as it is now',
  schema: BackendView,
  example: { revision: 13, backend: backendExample },
};

const answered = (actions: ControlActions, cluster: string, id: string, status = 200) =>
  withRevision({ backend: backendOf(actions, cluster, id) }, actions, status);

export const backends = [
  route({
    method: 'POST',
    path: '/v1/backends/{cluster}/{id}/drain',
    tag: 'backends',
    summary: 'Give it no new sessions and let what it has end',
    details: 'What is left at the deadline is ended. Asked again while draining, it sets a new deadline.',
    body: {
      schema: z.strictObject({
        deadline: optionalDuration().describe('From now; the cluster’s drain.deadline when left out'),
      }),
      example: { deadline: '5m' },
    },
    answers: { 200: view },
    handle({ actions, params: { cluster, id }, body }) {
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
