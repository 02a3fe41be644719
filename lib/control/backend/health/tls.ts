// The TLS settings of checks: the cluster's PEM files, read again now and then, since certificates are replaced.

import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { ClusterConfig } from '../../../config/cluster.ts';
import type { Clock } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';

/** A context costs a millisecond; a check each 2 ms should not make its own. */
const KEEP_MS = 10_000;

/** One per cluster and configuration. */
export class CheckTls {
  readonly #config: ClusterConfig['tls'];
  readonly #clock: Clock;
  readonly #log: Log;
  #context: SecureContext | undefined;
  #madeAtMs = Number.NEGATIVE_INFINITY;
  #problem = '';

  constructor(config: ClusterConfig['tls'], clock: Clock, log: Log) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
  }

  /** Files that cannot be read leave the last good ones in use. */
  context(): SecureContext | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#madeAtMs < KEEP_MS) return this.#context;
    this.#madeAtMs = nowMs;
    const { ca, cert, key } = this.#config;
    if (ca === undefined && cert === undefined) return undefined;
    try {
      this.#context = createSecureContext({
        ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
        ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
        ...(key === undefined ? {} : { key: readFileSync(key) }),
      });
      this.#problem = '';
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem)
        this.#log.error(`the TLS files of health checks cannot be used: ${problem}`);
      this.#problem = problem;
    }
    return this.#context;
  }
}
