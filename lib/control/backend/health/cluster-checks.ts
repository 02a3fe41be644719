// The checks of one cluster's backends: started, restarted when their settings change, and their results taken in.

import type { ClusterConfig } from '../../../config/cluster.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Backend } from '../backend.ts';
import { type CheckResult, checkOf } from './check.ts';
import { afterCheck, type Health, UNCHECKED } from './rise-fall.ts';
import type { CheckSchedule } from './schedule.ts';
import { CheckTls } from './tls.ts';

export interface CheckHands {
  readonly clock: Clock;
  readonly log: Log;
  readonly checks: CheckSchedule;
}

type CheckedConfig = Pick<ClusterConfig, 'health' | 'protocol' | 'tls'>;

export class ClusterChecks {
  readonly #cluster: string;
  readonly #hands: CheckHands;
  readonly #flipped: (backend: Backend, before: Health) => void;
  #config: CheckedConfig;
  #tls: CheckTls;

  /** `flipped` hears of every change of health, after it was logged. */
  constructor(
    cluster: string,
    config: CheckedConfig,
    hands: CheckHands,
    flipped: (backend: Backend, before: Health) => void,
  ) {
    this.#cluster = cluster;
    this.#hands = hands;
    this.#flipped = flipped;
    this.#config = config;
    this.#tls = new CheckTls(config.tls, hands.clock, hands.log);
  }

  /** A backend that served unchecked so far goes on until a check speaks against it. */
  configure(config: CheckedConfig, backends: Iterable<Backend>): void {
    const before = this.#config;
    this.#config = config;
    if (settingsOf(before) === settingsOf(config)) return;
    this.#tls = new CheckTls(config.tls, this.#hands.clock, this.#hands.log);
    for (const backend of backends) {
      backend.check?.[Symbol.dispose]();
      backend.check = undefined;
      if (config.health === undefined) {
        backend.standing = UNCHECKED;
        backend.checkDetail = 'not checked';
      } else if (before.health === undefined) {
        backend.standing = { health: 'up', against: 0 };
        backend.checkDetail = 'not checked yet';
      }
      this.start(backend);
    }
  }

  start(backend: Backend): void {
    const { checks, clock } = this.#hands;
    const { health } = this.#config;
    if (health === undefined) {
      backend.settleJudged();
      return;
    }
    backend.check = checks.add({
      intervalMs: health.interval,
      atOnce: backend.standing.health === 'unknown',
      run: checkOf(backend.url, health, this.#config, this.#tls, clock),
      report: result => this.#take(backend, result, health.rise, health.fall),
    });
  }

  #take(backend: Backend, { ok, detail, inconclusive }: CheckResult, rise: number, fall: number): void {
    if (inconclusive) {
      backend.checkDetail = detail;
      return backend.settleJudged();
    }
    const before = backend.standing.health;
    backend.standing = afterCheck(backend.standing, ok, rise, fall);
    backend.checkDetail = detail;
    const { health } = backend.standing;
    if (health !== before) {
      const fields = { cluster: this.#cluster, backend: backend.id, detail };
      const message = `cluster ${this.#cluster}: backend ${backend.id} is ${health}: ${detail}`;
      if (health === 'up') this.#hands.log.info(message, fields);
      else this.#hands.log.warn(message, fields);
      this.#flipped(backend, before);
    }
    backend.settleJudged();
  }
}

const settingsOf = ({ health, protocol, tls }: CheckedConfig): string =>
  JSON.stringify([health, protocol, tls]);
