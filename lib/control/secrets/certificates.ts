// The PEM files that the configuration names: read and checked as one, and read again when they change.

import { readFileSync, statSync } from 'node:fs';
import type { ProxyConfig } from '../../config/proxy.ts';
import { type Clock, every } from '../../core/clock.ts';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { TlsTexts } from '../../orders/messages.ts';
import type { CertificateEntry, ClusterEntry } from '../../orders/snapshot.ts';
import { type CheckedCertificate, checkCertificate, parseChain, validityWarning } from './pem.ts';

/** Of one listener, or of the admin API. */
export interface ServerTls {
  readonly certificates: readonly CertificateEntry[];
  readonly clientCa?: string;
}

export interface TlsMaterial {
  /** By the listener's place in the configuration; no certificates on a listener without TLS. */
  readonly listeners: readonly ServerTls[];
  readonly clusters: Readonly<Record<string, ClusterEntry['tls']>>;
  readonly admin: ServerTls;
}

type TlsConfigs = Pick<ProxyConfig, 'listeners' | 'clusters' | 'admin'>;

export interface CertificateStoreOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How often files are looked at; a change is used once two looks in a row saw the same. */
  readonly pollMs?: number;
  /** Of a control thread that ended: stands in, at the first load, for files that have gone bad since. */
  readonly lastGood?: TlsTexts | undefined;
}

const POLL_MS = 2_000;
const VALIDITY_EVERY_MS = 12 * 3_600_000;

/** Holds what was read last, so that a renewal half-way through keeps the old pair in use. */
export class CertificateStore implements Disposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pollMs: number;
  #lastGood: TlsTexts | null;
  #config: TlsConfigs | null = null;
  #pairs = new Map<string, CheckedCertificate>();
  #authorities = new Map<string, string>();
  /** Of the files as they were read last, and as they were seen last. */
  #readSignature = '';
  #seenSignature = '';
  #watching: Disposable | null = null;
  #nextValidityMs = 0;

  constructor({ clock, log, pollMs = POLL_MS, lastGood }: CertificateStoreOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#pollMs = pollMs;
    this.#lastGood = lastGood ?? null;
  }

  /**
   * Reads everything the configuration names. Throws CONFIG_INVALID with one line per file that is missing, unreadable or does not match;
   * then nothing has changed and the former configuration stays watched.
   */
  load(config: TlsConfigs): TlsMaterial {
    const problems: string[] = [];
    const signature = signatureOf(filesOf(config));
    const read = readAll(config, problem => problems.push(problem));
    if (problems.length > 0 && this.#lastGood !== null && restored(this.#lastGood, config, read)) {
      for (const problem of problems.splice(0))
        this.#log.error('a TLS file has gone bad; what it held before stays in use', { problem });
    }
    if (problems.length > 0) throw new LeasewayError('CONFIG_INVALID', problems.join('\n'));
    this.#lastGood = null;
    this.#config = config;
    this.#pairs = read.pairs;
    this.#authorities = read.authorities;
    this.#readSignature = signature;
    this.#seenSignature = signature;
    this.#nextValidityMs = 0;
    this.#warnOfValidity();
    return this.#material(config);
  }

  /** What is in use, for a successor. */
  get texts(): TlsTexts {
    return {
      pairs: [...this.#pairs].map(([id, { entry }]) => {
        const [certFile, keyFile] = id.split('\0') as [string, string];
        return { certFile, keyFile, cert: entry.cert, key: entry.key };
      }),
      authorities: [...this.#authorities].map(([file, pem]) => ({ file, pem })),
    };
  }

  /** Calls back with everything whenever files have changed and what they hold now is usable. Until disposed. */
  watch(changed: (material: TlsMaterial) => void): void {
    this.#watching?.[Symbol.dispose]();
    this.#watching = every(this.#clock, this.#pollMs, () => this.#poll(changed));
  }

  [Symbol.dispose](): void {
    this.#watching?.[Symbol.dispose]();
    this.#watching = null;
  }

  #poll(changed: (material: TlsMaterial) => void): void {
    if (this.#config === null) return;
    this.#warnOfValidity();
    const signature = signatureOf(filesOf(this.#config));
    const settled = signature === this.#seenSignature;
    this.#seenSignature = signature;
    // Still being written, or nothing new.
    if (!settled || signature === this.#readSignature) return;
    const read = readAll(this.#config, problem =>
      this.#log.warn('a changed TLS file is not used yet; the former goes on', { problem }),
    );
    this.#readSignature = signature;
    // One pair half-way through its renewal does not hold up the others.
    let news = false;
    for (const [id, pair] of read.pairs) {
      if (sameText(this.#pairs.get(id), pair)) continue;
      this.#pairs.set(id, pair);
      this.#log.info('a certificate was read anew', { names: pair.entry.names.join(',') });
      news = true;
    }
    for (const [path, pem] of read.authorities) {
      if (this.#authorities.get(path) === pem) continue;
      this.#authorities.set(path, pem);
      news = true;
    }
    if (!news) return;
    this.#nextValidityMs = 0;
    this.#warnOfValidity();
    changed(this.#material(this.#config));
  }

  #warnOfValidity(): void {
    const now = this.#clock.monotonicMs();
    if (now < this.#nextValidityMs) return;
    this.#nextValidityMs = now + VALIDITY_EVERY_MS;
    for (const [id, pair] of this.#pairs) {
      const warning = validityWarning(pair, this.#clock.wallMs());
      if (warning !== undefined) this.#log.warn(`a certificate ${warning}`, { file: id.split('\0')[0] });
    }
  }

  #material(config: TlsConfigs): TlsMaterial {
    const server = (tls: ProxyConfig['listeners'][number]['tls']): ServerTls => ({
      certificates: (tls?.certificates ?? []).map(
        ({ cert, key }) => this.#pairs.get(pairId(cert, key))!.entry,
      ),
      ...(tls?.client_ca === undefined ? {} : { clientCa: this.#authorities.get(tls.client_ca)! }),
    });
    return {
      listeners: config.listeners.map(listener => server(listener.tls)),
      admin: server(config.admin.tls),
      clusters: Object.fromEntries(
        Object.entries(config.clusters).map(([name, { tls }]) => {
          const pair =
            tls.cert === undefined || tls.key === undefined
              ? {}
              : pick(this.#pairs.get(pairId(tls.cert, tls.key))!.entry);
          const ca = tls.ca === undefined ? {} : { ca: this.#authorities.get(tls.ca)! };
          return [name, { ...ca, ...pair }];
        }),
      ),
    };
  }
}

const pick = ({ cert, key }: CertificateEntry): { cert: string; key: string } => ({ cert, key });
const pairId = (cert: string, key: string): string => `${cert}\0${key}`;
const sameText = (one: CheckedCertificate | undefined, other: CheckedCertificate): boolean =>
  one !== undefined && one.entry.cert === other.entry.cert && one.entry.key === other.entry.key;

interface Named {
  /** Certificate and key. */
  readonly pairs: readonly (readonly [string, string])[];
  readonly authorities: readonly string[];
}

function filesOf({ listeners, clusters, admin }: TlsConfigs): Named {
  const servers = [...listeners.map(listener => listener.tls), admin.tls].filter(tls => tls !== undefined);
  const upstreams = Object.values(clusters).map(cluster => cluster.tls);
  return {
    pairs: [
      ...servers.flatMap(tls => tls.certificates.map(({ cert, key }) => [cert, key] as const)),
      ...upstreams.flatMap(({ cert, key }) =>
        cert === undefined || key === undefined ? [] : [[cert, key] as const],
      ),
    ],
    authorities: [...servers.map(tls => tls.client_ca), ...upstreams.map(({ ca }) => ca)].filter(
      path => path !== undefined,
    ),
  };
}

interface Read {
  readonly pairs: Map<string, CheckedCertificate>;
  readonly authorities: Map<string, string>;
}

/** Fills in what could not be read. False when something is still missing. */
function restored(lastGood: TlsTexts, config: TlsConfigs, { pairs, authorities }: Read): boolean {
  const named = filesOf(config);
  for (const { certFile, keyFile, cert, key } of lastGood.pairs) {
    const id = pairId(certFile, keyFile);
    if (!pairs.has(id)) pairs.set(id, checkCertificate(cert, key));
  }
  for (const { file, pem } of lastGood.authorities) if (!authorities.has(file)) authorities.set(file, pem);
  return (
    named.pairs.every(([cert, key]) => pairs.has(pairId(cert, key))) &&
    named.authorities.every(file => authorities.has(file))
  );
}

function readAll(config: TlsConfigs, problem: (text: string) => void): Read {
  const pairs = new Map<string, CheckedCertificate>();
  const authorities = new Map<string, string>();
  const named = filesOf(config);
  for (const [certPath, keyPath] of named.pairs) {
    try {
      const cert = readFileSync(certPath, 'utf8');
      const key = readFileSync(keyPath, 'utf8');
      pairs.set(pairId(certPath, keyPath), checkCertificate(cert, key));
    } catch (error) {
      problem(`${certPath} with ${keyPath}: ${messageOf(error)}`);
    }
  }
  for (const path of named.authorities) {
    try {
      const pem = readFileSync(path, 'utf8');
      parseChain(pem);
      authorities.set(path, pem);
    } catch (error) {
      problem(`${path}: ${messageOf(error)}`);
    }
  }
  return { pairs, authorities };
}

/**
 * Changes when any file is written, replaced by rename, or reached through a link that was switched: the links are followed, so inode,
 * size and times are those of the file that would be read.
 */
function signatureOf(named: Named): string {
  const paths = new Set([...named.pairs.flat(), ...named.authorities]);
  let signature = '';
  for (const path of paths) {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    signature +=
      stat === undefined ? 'gone;' : `${stat.dev}.${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs};`;
  }
  return signature;
}
