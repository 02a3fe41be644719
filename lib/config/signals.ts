// What a cluster's backends say of their own load, and how it is asked for.

import * as z from 'zod';
import { SIGNAL_NAMES } from '../core/signal-kinds.ts';
import { duration, exactlyOne, size } from './scalars.ts';

const port = z.int().min(1).max(65535);
const signal = z.enum(SIGNAL_NAMES);

const Orca = z.strictObject({
  format: z
    .enum(['TEXT', 'JSON', 'BIN', 'off'])
    .default('TEXT')
    .describe('Asked for in requests, since some servers report only then; off asks nothing'),
  pass_on: z.boolean().default(false).describe('Clients get the reports too'),
  metrics: z
    .record(
      z.string().regex(/^(named_metrics|utilization|request_cost)\.[!-~]{1,128}$/, {
        error: 'expected a name such as named_metrics.running or utilization.gpu',
      }),
      signal,
    )
    .default({})
    .describe('Further names in a report, and what they are'),
});

const OrcaStream = z.strictObject({
  port: port.optional().describe('The backend’s own when left out'),
  interval: duration('1s', '10ms', '1h').describe('Asked of the backend, which may take longer'),
  metrics: Orca.shape.metrics,
});

const AgentCheck = z.strictObject({
  port: port.describe('Where the agent answers, on the backend’s host'),
  send: z.string().max(1024).optional().describe('Sent after connecting'),
  interval: duration('2s', '10ms', '1h'),
  timeout: duration('1s', '1ms', '1m'),
  percent: z
    .enum(['weight', 'idle'])
    .default('weight')
    .describe('What 75% means: the share of its weight, or how much of its CPU is idle'),
});

const url = z
  .string()
  .regex(/^https?:\/\/[^\s/?#@]+(?:[/?]\S*)?$/, {
    error: 'expected a URL such as http://{host}:9100/metrics',
  })
  .refine(
    text => {
      const filled = text.replaceAll('{host}', 'h').replaceAll('{port}', '1');
      return !/[{}]/.test(filled) && URL.canParse(filled);
    },
    {
      error: 'expected a URL such as http://{host}:9100/metrics, with no other braces than {host} and {port}',
    },
  );

/** `name` or `name{label="value",…}`. */
const selector = z
  .string()
  .regex(/^[A-Za-z_:][\w:]*(?:\{(?:[A-Za-z_]\w*="[^"\\]*"(?:,(?=[A-Za-z_]))?)*\})?$/, {
    error: 'expected a metric such as app_busy or app_busy{pool="main"}',
  });

const Metric = z.strictObject({
  metric: selector,
  of: selector.optional().describe('Divided by this one, for a share'),
  rate: z.boolean().default(false).describe('A counter: what counts is how fast it rises, per second'),
  scale: z.number().positive().default(1).describe('Multiplied by this; 0.01 makes a share of a percentage'),
});

const metric = z.union([selector.transform(name => Metric.parse({ metric: name })), Metric], {
  error: 'expected a metric such as app_busy, or a map with metric',
});

const Scrape = z.strictObject({
  url: url.describe('{host} and {port} are the backend’s'),
  interval: duration('5s', '100ms', '1h'),
  timeout: duration('2s', '1ms', '1m'),
  max_bytes: size('8MiB'),
  labels: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/, { error: 'expected the name of a label' }), z.string())
    .default({})
    .describe('Only lines that carry these labels: one container of a page about many'),
  metrics: z
    .partialRecord(signal, metric)
    .optional()
    .describe('What stands for each kind of load; node_exporter, cAdvisor and leaseway agent are known'),
});

const Entry = z
  .strictObject({
    orca: Orca.optional().describe('Load reports in headers and trailers of answers'),
    orca_stream: OrcaStream.optional().describe('Load reports on a gRPC stream of their own'),
    agent_check: AgentCheck.optional().describe('HAProxy’s agent: weight and state by one line of text'),
    scrape: z
      .union([url.transform(text => Scrape.parse({ url: text })), Scrape], {
        error: 'expected a URL such as http://{host}:9100/metrics, or a map with url',
      })
      .optional()
      .describe('A page of metrics in Prometheus’s text format'),
  })
  .refine(...exactlyOne('orca', 'orca_stream', 'agent_check', 'scrape'));

const bare = z
  .enum(['orca', 'orca_stream'])
  .transform((word): z.output<typeof Entry> => Entry.parse({ [word]: {} }));

/** The value of `signals` in a cluster. */
export const Signals = z
  .array(z.union([bare, Entry], { error: 'expected orca, orca_stream, or a map with one source' }))
  .max(16)
  .default([]);

export type OrcaConfig = z.output<typeof Orca>;
export type OrcaStreamConfig = z.output<typeof OrcaStream>;
export type AgentCheckConfig = z.output<typeof AgentCheck>;
export type ScrapeConfig = z.output<typeof Scrape>;
export type ScrapeMetric = z.output<typeof Metric>;
