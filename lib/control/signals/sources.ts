// Starts the sources of one backend, and takes what they bring into its record.

import type { ClusterConfig } from '../../config/cluster.ts';
import type { AgentCheckConfig, OrcaStreamConfig, ScrapeConfig } from '../../config/signals.ts';
import type { Clock } from '../../core/clock.ts';
import { orcaNames } from '../../core/orca/names.ts';
import type { Random } from '../../core/random.ts';
import { SIGNAL_KINDS } from '../../core/signal-kinds.ts';
import { formatDuration } from '../../core/units.ts';
import { describeFailure } from '../backend/health/detail.ts';
import type { CheckSchedule } from '../backend/health/schedule.ts';
import type { CheckTls } from '../backend/health/tls.ts';
import { askAgent } from './agent-check.ts';
import { readAgentLine } from './agent-line.ts';
import type { BackendRecord, SourceState } from './board.ts';
import { OrcaStream } from './orca-stream.ts';
import { Scraper } from './scrape.ts';
import type { ScrapeBudget } from './scrape-budget.ts';

export interface SourceHands {
  readonly clock: Clock;
  readonly random: Random;
  readonly tls: CheckTls;
  readonly schedule: CheckSchedule;
  readonly budget: ScrapeBudget;
  ok(state: SourceState, detail: string): void;
  failed(state: SourceState, detail: string): void;
}

type Config = Pick<ClusterConfig, 'signals' | 'tls' | 'protocol'>;

/** All but the reports that come with answers; each ends when disposed. */
export function startSources(
  backend: URL,
  config: Config,
  record: BackendRecord,
  hands: SourceHands,
): readonly Disposable[] {
  return config.signals.flatMap(({ orca_stream: stream, agent_check: agent, scrape }) => [
    ...(stream === undefined ? [] : [startStream(backend, stream, config, record, hands)]),
    ...(agent === undefined ? [] : [startAgent(backend, agent, record, hands)]),
    ...(scrape === undefined ? [] : [startScrape(backend, scrape, config, record, hands)]),
  ]);
}

function startStream(
  backend: URL,
  { port, interval, metrics }: OrcaStreamConfig,
  { tls }: Config,
  record: BackendRecord,
  hands: SourceHands,
): Disposable {
  const { clock, random } = hands;
  const state = record.source('orca_stream', '', () => interval);
  const url = new URL(backend);
  if (port !== undefined) url.port = String(port);
  const target = () => ({
    url,
    protocol: 'h2' as const,
    tls: {
      context: url.protocol === 'https:' ? hands.tls.context() : undefined,
      verify: tls.verify,
      serverName: tls.server_name,
    },
  });
  const settings = { target, intervalMs: interval, names: orcaNames(metrics), clock, random };
  return new OrcaStream(settings, {
    report(reading) {
      const nowMs = clock.monotonicMs();
      state.refused += reading.refused;
      for (const [index, kind] of SIGNAL_KINDS.entries())
        if (reading.has(index)) record.take(kind, reading.values[index]!, nowMs, state);
      hands.ok(state, 'streaming');
    },
    broke: detail => hands.failed(state, detail),
  });
}

function startAgent(
  backend: URL,
  { port, send, interval, timeout, percent }: AgentCheckConfig,
  record: BackendRecord,
  hands: SourceHands,
): Disposable {
  const state = record.source('agent_check', '', () => interval);
  const host = backend.hostname.replace(/^\[|\]$/g, '');
  const take = (line: string): void => {
    const nowMs = hands.clock.monotonicMs();
    const read = readAgentLine(line, record.agent);
    state.refused += read.refused;
    record.agent = read.say;
    if (read.percent !== null) {
      if (percent === 'idle') record.take('cpu', 1 - read.percent, nowMs, state);
      else record.agent = { ...read.say, share: read.percent };
    }
    if (read.maxConnections !== null) record.take('capacity', read.maxConnections, nowMs, state);
    hands.ok(state, line.slice(0, 200));
  };
  return repeat(
    hands,
    () => interval,
    timeout,
    signal => askAgent(host, port, send, signal),
    {
      take,
      // As HAProxy has it: an agent that cannot be reached is no failure of the backend, and what it said stands.
      failed: detail => hands.failed(state, detail),
    },
  );
}

function startScrape(
  backend: URL,
  config: ScrapeConfig,
  { tls }: Config,
  record: BackendRecord,
  hands: SourceHands,
): Disposable {
  const scraper = new Scraper(config, backend);
  const { budget, clock } = hands;
  const access = { files: hands.tls, verify: tls.verify, clock };
  const interval = () => config.interval * budget.stretch;
  const state = record.source('scrape', scraper.url, interval);
  const asked = repeat(hands, interval, config.timeout, signal => scraper.fetch(access, signal), {
    take({ page, refused, readingMs }) {
      const nowMs = clock.monotonicMs();
      budget.read(scraper, readingMs, config.interval);
      state.refused += refused;
      const there = scraper.values(page, nowMs, (kind, value) => record.take(kind, value, nowMs, state));
      if (there === 0) hands.failed(state, 'the page has none of the metrics that are looked for');
      else hands.ok(state, `${there} of its metrics are of use`);
    },
    failed: detail => hands.failed(state, detail),
  });
  return {
    [Symbol.dispose]() {
      asked[Symbol.dispose]();
      budget.forget(scraper);
    },
  };
}

/** Asks again and again, never two at a time, each within `timeoutMs`. */
function repeat<R>(
  { clock, schedule }: SourceHands,
  interval: () => number,
  timeoutMs: number,
  ask: (signal: AbortSignal) => Promise<R>,
  ears: { take(answer: R): void; failed(detail: string): void },
): Disposable {
  return schedule.add<() => void>({
    get intervalMs() {
      return interval();
    },
    atOnce: true,
    async run() {
      const aborter = new AbortController();
      using _deadline = clock.after(timeoutMs, () => aborter.abort());
      try {
        const answer = await ask(aborter.signal);
        return () => ears.take(answer);
      } catch (error) {
        const late = aborter.signal.aborted;
        const detail = late ? `no answer within ${formatDuration(timeoutMs)}` : describeFailure(error);
        return () => ears.failed(detail);
      }
    },
    report: told => told(),
  });
}
