// Asks backends for their load beside the requests: as many as the policy wants, never waited for, bounded.
//
// A probe is a GET on a pooled connection. It counts nowhere: not as a request, not as a place, not for ejection. Its answer
// may say in an ORCA header or as JSON what the backend has; what it leaves out is taken from what this proxy sees itself.

import type { ClusterConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import { type Fields, fieldValue, nameIs } from '../../core/fields.ts';
import type { Log } from '../../core/log.ts';
import { orcaNames } from '../../core/orca/names.ts';
import { parseReport, REPORT_FIELD, REPORT_FORMAT_FIELD } from '../../core/orca/parse.ts';
import { LoadReading } from '../../core/orca/reading.ts';
import type { LoadReport } from '../../plan/balance/learner.ts';
import type { DecisionReader } from '../../scoreboard/ports.ts';
import { owned } from '../lent.ts';
import type { AnswerHead, AnswerSink, Outgoing } from '../ports.ts';
import type { Learning } from './learning.ts';
import type { Member } from './member.ts';
import { loadReport } from './orca-report.ts';

type ProbeConfig = NonNullable<ClusterConfig['balance']['probe']>;

export interface ProbeTools {
  readonly clock: Clock;
  readonly log: Log;
  readonly decisions: DecisionReader;
}

/** So that a backend's own log tells probes from traffic. */
const USER_AGENT = 'leaseway-probe';
/** What a backend says of its load is short. */
const MOST_BYTES = 4_096;
const NAMES = orcaNames();
/** Keys of a JSON answer. */
const JSON_KEYS = {
  in_flight: 'inFlight',
  mean_in_flight: 'meanInFlight',
  requests_per_second: 'requestsPerSecond',
  utilization: 'utilization',
  latency_ms: 'latencyMs',
} as const satisfies Record<string, keyof LoadReport>;
/** No figure of a backend is larger; what is, is nonsense. */
const MOST = 1e7;

export class Probes {
  readonly #cluster: string;
  readonly #config: ProbeConfig;
  readonly #learning: Learning;
  readonly #memberAt: (slot: number) => Member | undefined;
  readonly #tools: ProbeTools;
  /** Slots that are being asked: one at a time each. */
  readonly #asked = new Set<number>();
  #complained = false;

  constructor(
    cluster: string,
    config: ProbeConfig,
    learning: Learning,
    memberAt: (slot: number) => Member | undefined,
    tools: ProbeTools,
  ) {
    this.#cluster = cluster;
    this.#config = config;
    this.#learning = learning;
    this.#memberAt = memberAt;
    this.#tools = tools;
  }

  /** With each request. What cannot be sent now is not made up for: an old wish to know is of no use. */
  send(): void {
    for (let slot = this.#learning.nextProbe(); slot >= 0; slot = this.#learning.nextProbe()) {
      const member = this.#memberAt(slot);
      if (member === undefined || this.#asked.has(slot) || this.#asked.size >= this.#config.at_once) continue;
      this.#ask(member);
    }
  }

  #ask(member: Member): void {
    const { path, timeout } = this.#config;
    const { slot, scheme } = member;
    const authority = new URL(member.entry.url).host;
    const probe = new Probe(said => {
      deadline[Symbol.dispose]();
      this.#asked.delete(slot);
      if (said !== null) this.#heard(member, said);
    });
    this.#asked.add(slot);
    const deadline = this.#tools.clock.after(timeout, () => probe.abort());
    const fields = ['Host', authority, 'User-Agent', USER_AGENT, 'Accept', 'application/json'];
    fields.push(REPORT_FORMAT_FIELD, 'TEXT');
    const head = {
      method: 'GET',
      target: path,
      authority,
      scheme,
      fields,
      protocol: '',
      bodyLength: 0,
    } as const;
    probe.begin(member.upstream.open(head, probe));
  }

  #heard(member: Member, said: LoadReport | string): void {
    if (typeof said === 'string') return this.#complain(`${member.id} answered ${said}`);
    if (Number.isNaN(said.inFlight)) this.#complain(`${member.id} does not say what it has in flight`);
    const { decisions } = this.#tools;
    const { slot } = member;
    this.#learning.probed(slot, {
      ...said,
      inFlight: Number.isNaN(said.inFlight) ? decisions.inFlight(slot) : said.inFlight,
      latencyMs: Number.isNaN(said.latencyMs) ? decisions.latencyMs(slot) || Number.NaN : said.latencyMs,
    });
  }

  /** Once: it is the same for every probe. */
  #complain(detail: string): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#tools.log.warn('a probe is of little use', {
      cluster: this.#cluster,
      path: this.#config.path,
      detail,
    });
  }
}

/** One probe; `done` hears a report, what is wrong with the answer, or null when there was none. */
class Probe implements AnswerSink {
  readonly #done: (said: LoadReport | string | null) => void;
  #outgoing: Outgoing | null = null;
  #head: AnswerHead | null = null;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #over = false;

  constructor(done: (said: LoadReport | string | null) => void) {
    this.#done = done;
  }

  begin(outgoing: Outgoing): void {
    this.#outgoing = outgoing;
    if (!this.#over) outgoing.end();
  }

  abort(): void {
    this.#finish(null, true);
  }

  informational(): void {}
  writable(): void {}

  head(head: AnswerHead): void {
    this.#head = head;
    if (head.status < 200 || head.status > 299) this.#finish(`${head.status}`, true);
  }

  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_BYTES) this.#finish(`more than ${MOST_BYTES} bytes`, true);
    else this.#chunks.push(owned(chunk));
  }

  end(): void {
    this.#finish(reportOf(this.#head!.fields, this.#chunks), false);
  }

  upgraded(): void {
    this.#finish('101', true);
  }

  fail(): void {
    this.#finish(null, false);
  }

  #finish(said: LoadReport | string | null, cut: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#chunks = [];
    if (cut) this.#outgoing?.abort({ code: 'DEADLINE', detail: 'a probe' });
    this.#done(said);
  }
}

/** NaN where it says nothing. */
function reportOf(fields: Fields, body: readonly Uint8Array[]): LoadReport {
  const reading = new LoadReading();
  for (let i = 0; i < fields.length; i += 2)
    if (nameIs(fields[i]!, REPORT_FIELD)) parseReport(fields[i + 1]!, NAMES, reading);
  const report = { ...loadReport(reading) };
  if (!/^application\/(\w+\+)?json\b/i.test(fieldValue(fields, 'content-type') ?? '')) return report;
  let said: unknown;
  try {
    said = JSON.parse(Buffer.concat(body).toString('utf8'));
  } catch {
    return report;
  }
  if (typeof said !== 'object' || said === null) return report;
  for (const [name, key] of Object.entries(JSON_KEYS)) {
    const value = (said as Record<string, unknown>)[name];
    if (typeof value === 'number' && value >= 0 && value <= MOST) report[key] = value;
  }
  return report;
}
