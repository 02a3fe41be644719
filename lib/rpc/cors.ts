// Pages of other origins may call: nothing a browser adds by itself counts here, what a caller may do is in the token it sends.

import { cors } from '@connectrpc/connect';
import type { ServiceAnswer } from '../data/leases/ports.ts';

const PREFLIGHT_S = 7_200;

/** What a browser asks before it calls from a page of another origin. */
export const preflight = (): ServiceAnswer => ({
  status: 204,
  header: new Headers({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': cors.allowedHeaders.join(', '),
    'access-control-max-age': String(PREFLIGHT_S),
  }),
});

export function acrossOrigins(answer: ServiceAnswer): ServiceAnswer {
  const header = new Headers(answer.header);
  header.set('access-control-allow-origin', '*');
  header.set('access-control-expose-headers', cors.exposedHeaders.join(', '));
  return { ...answer, header };
}
