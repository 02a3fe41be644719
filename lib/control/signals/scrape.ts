// Fetches pages of metrics and makes load of them: one Scraper per backend and page.

import { request as http } from 'node:http';
import { request as https } from 'node:https';
import type { ScrapeConfig } from '../../config/signals.ts';
import type { Clock } from '../../core/clock.ts';
import type { SignalKind } from '../../core/signal-kinds.ts';
import { CheckFailure } from '../backend/health/detail.ts';
import type { CheckTls } from '../backend/health/tls.ts';
import { type Page, PageReader } from './page.ts';
import { type Rule, rulesOf } from './rules.ts';

export interface ScrapeHands {
  readonly files: CheckTls;
  readonly verify: boolean;
  readonly clock: Clock;
}

export interface Scraped {
  readonly page: Page;
  readonly refused: number;
  /** Of the thread, spent on its lines. */
  readonly readingMs: number;
}

/** Of a machine and not of one container: they have no labels to choose by. */
const MACHINE = 'machine_';

export class Scraper {
  readonly url: string;
  readonly #config: ScrapeConfig;
  readonly #rules: readonly Rule[];
  readonly #wanted: ReadonlySet<string>;
  readonly #labels: readonly (readonly [string, string])[];
  readonly #before = new Map<Rule, readonly number[]>();
  #beforeMs = Number.NaN;

  constructor(config: ScrapeConfig, backend: URL) {
    const port = backend.port !== '' ? backend.port : backend.protocol === 'https:' ? '443' : '80';
    this.url = config.url.replaceAll('{host}', backend.hostname).replaceAll('{port}', port);
    this.#config = config;
    this.#rules = rulesOf(config);
    this.#wanted = new Set(this.#rules.flatMap(({ needs }) => needs));
    this.#labels = Object.entries(config.labels);
  }

  /** A reader for one page. */
  reader(): PageReader {
    return new PageReader(
      name => this.#wanted.has(name),
      (name, labels) =>
        name.startsWith(MACHINE) || this.#labels.every(([label, value]) => labels[label] === value),
    );
  }

  /** The values of a page that was read at `nowMs`; how many it had. Rates need a page before. */
  values(page: Page, nowMs: number, take: (kind: SignalKind, value: number) => void): number {
    const elapsedS = (nowMs - this.#beforeMs) / 1000;
    this.#beforeMs = nowMs;
    const done = new Set<SignalKind>();
    let there = 0;
    for (const rule of this.#rules) {
      if (done.has(rule.kind)) continue;
      const now = rule.take(page);
      if (now === null) continue;
      there += 1;
      const value = rule.value(now, this.#before.get(rule) ?? null, elapsedS);
      this.#before.set(rule, now);
      if (value === null) continue;
      done.add(rule.kind);
      take(rule.kind, value);
    }
    return there;
  }

  /** Rejects when there is no page, or too much of it. */
  fetch({ files, verify, clock }: ScrapeHands, signal: AbortSignal): Promise<Scraped> {
    const url = new URL(this.url);
    const secure = url.protocol === 'https:';
    const context = secure ? files.context() : undefined;
    const reader = this.reader();
    return new Promise((resolve, reject) => {
      const options = {
        agent: false as const,
        signal,
        headers: { accept: 'text/plain;version=0.0.4', 'user-agent': 'leaseway-signals' },
        ...(secure && { rejectUnauthorized: verify }),
        ...(context !== undefined && { secureContext: context }),
      };
      const asked = (secure ? https : http)(url, options, answer => {
        answer.on('error', reject);
        if (answer.statusCode !== 200) {
          reject(new CheckFailure(`HTTP ${answer.statusCode}`));
          return void asked.destroy();
        }
        let bytes = 0;
        let readingMs = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= this.#config.max_bytes) {
            const fromMs = clock.monotonicMs();
            reader.push(chunk);
            readingMs += clock.monotonicMs() - fromMs;
            return;
          }
          reject(new CheckFailure(`over ${this.#config.max_bytes} bytes (max_bytes)`));
          asked.destroy();
        });
        answer.on('end', () => {
          // A page that was cut may lack the very line that counts.
          if (answer.complete) resolve({ page: reader.end(), refused: reader.refused, readingMs });
        });
        answer.on('close', () => reject(new CheckFailure('closed in mid-answer')));
      });
      asked.on('error', reject);
      asked.on('upgrade', (_answer, socket) => {
        socket.destroy();
        reject(new CheckFailure('HTTP 101'));
      });
      asked.end();
    });
  }
}
