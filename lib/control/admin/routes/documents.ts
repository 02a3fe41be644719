// The API about itself.

import { json, text } from '../answer.ts';
import { openApiDocument } from '../openapi.ts';
import { route } from '../route.ts';

export const documents = [
  route({
    method: 'GET',
    path: '/v1/openapi.json',
    tag: 'documents',
    summary: 'This API as an OpenAPI document',
    answers: {
      200: { says: 'OpenAPI 3.1', type: 'application/json', example: { openapi: '3.1.0' } },
    },
    handle: ({ actions, routes }) => json(openApiDocument(routes, actions.status().version)),
  }),
  route({
    method: 'GET',
    path: '/',
    tag: 'documents',
    summary: 'What there is, for people',
    answers: { 200: { says: 'One line a route', type: 'text/plain', example: 'leaseway 0.1.0\n' } },
    handle({ actions, routes }) {
      const { version, pid, ready } = actions.status();
      const lines = routes.map(
        ({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(42)}${summary}`,
      );
      return text(
        [
          `leaseway ${version}, process ${pid}, ${ready ? 'ready' : 'not ready'}`,
          '',
          ...lines,
          '',
          'Writes need Authorization: Bearer TOKEN and If-Match: the ETag of what was read, or *.',
          '',
        ].join('\n'),
      );
    },
  }),
];
