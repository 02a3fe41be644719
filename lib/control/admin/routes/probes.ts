// What machines ask: is it alive, is it ready, what does it measure.

import * as z from 'zod';
import { text } from '../answer.ts';
import { EXPOSITION_TYPE } from '../exposition.ts';
import type { StatusReport } from '../ports.ts';
import { route } from '../route.ts';

const textType = 'text/plain';

export const probes = [
  route({
    method: 'GET',
    path: '/livez',
    tag: 'probes',
    summary: 'Does the control thread turn?',
    details: 'An orchestrator restarts the process when this does not answer.',
    answers: { 200: { says: 'It does', type: textType, example: 'ok\n' } },
    handle: () => text('ok\n'),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    tag: 'probes',
    summary: 'May traffic be sent here?',
    details: 'Not before every worker listens, and no longer once the process is stopping.',
    query: z.object({ verbose: z.string().optional().describe('Lists what was looked at') }),
    answers: {
      200: { says: 'Yes', type: textType, example: 'ok\n' },
      503: { says: 'No, with one reason a line', type: textType, example: 'worker 1 does not listen yet\n' },
    },
    handle({ actions, query }) {
      const status = actions.status();
      const reasons = [...status.notReady, ...(status.stopping ? ['the process is stopping'] : [])];
      const ready = status.ready && reasons.length === 0;
      const lines = query.verbose === undefined ? reasons : verbose(status, reasons);
      return text(`${[...lines, ready ? 'ok' : 'not ready'].join('\n')}\n`, ready ? 200 : 503);
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    tag: 'probes',
    summary: 'Metrics in the Prometheus text format',
    answers: {
      200: {
        says: 'Every metric of this process',
        type: textType,
        example: '# TYPE leaseway_ready gauge\nleaseway_ready 1\n',
      },
    },
    handle: ({ actions }) => text(actions.metrics(), 200, EXPOSITION_TYPE),
  }),
];

const verbose = (status: StatusReport, reasons: readonly string[]): string[] => [
  `[+] configuration generation ${status.generation} of ${status.configPath}`,
  ...status.listeners.map(({ address, port }) => `[+] listening on ${address} (port ${port})`),
  ...status.workers.map(({ row, alive }) => `[${alive ? '+' : '-'}] worker ${row}`),
  ...reasons.map(reason => `[-] ${reason}`),
];
