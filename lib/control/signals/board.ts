// What backends say of their load, from all sources together: the latest of each kind, and how each source is doing.

import { isBelievable, SIGNAL_KINDS, SIGNAL_NAMES, type SignalKind } from '../../core/signal-kinds.ts';
import {
  type BackendSignals,
  NO_SIGNALS,
  type Reading,
  type SignalSource,
  type SignalView,
} from '../../plan/load/signals.ts';
import { type AgentSay, NO_SAY } from './agent-line.ts';

/** A source of one backend, as operators see it. */
export interface SourceState {
  readonly source: SignalSource;
  /** Of a page that is scraped, its URL; else empty. */
  readonly name: string;
  /** Between two questions at present; 0 where nobody asks. */
  readonly everyMs: number;
  /** Null before the first answer. */
  ok: boolean | null;
  /** Why not, or what it said last. */
  detail: string;
  /** Monotonic, of the last good answer; -1 before the first. */
  heardMs: number;
  failures: number;
  /** Values that could not be a load. */
  refused: number;
}

export interface SignalReport {
  readonly signal: (typeof SIGNAL_NAMES)[number];
  readonly value: number;
  readonly ageMs: number;
  readonly source: SignalSource;
}

export interface SourceReport {
  readonly source: SignalSource;
  readonly name: string;
  readonly ok: boolean | null;
  readonly detail: string;
  /** Null when it never answered. */
  readonly ageMs: number | null;
  readonly failures: number;
  readonly refused: number;
}

/** What one backend says, and how. */
export class BackendRecord {
  readonly signals: { -readonly [K in SignalKind]: Reading | null } = { ...NO_SIGNALS };
  readonly sources: SourceState[] = [];
  agent: AgentSay = NO_SAY;

  source(source: SignalSource, name = '', every = (): number => 0): SourceState {
    const state: SourceState = {
      get everyMs() {
        return every();
      },
      source,
      name,
      ok: null,
      detail: 'not heard yet',
      heardMs: -1,
      failures: 0,
      refused: 0,
    };
    this.sources.push(state);
    return state;
  }

  /** False when the value is none that a load can have; an older one than is known changes nothing. */
  take(kind: SignalKind, value: number, atMs: number, from: SourceState): boolean {
    if (!isBelievable(kind, value)) {
      from.refused += 1;
      return false;
    }
    const known = this.signals[kind];
    if (known === null || known.atMs <= atMs) {
      const { source, everyMs } = from;
      this.signals[kind] = { value, atMs, source, everyMs };
    }
    return true;
  }
}

/** Says what agents want, to who judges backends. */
export interface AgentView {
  agent(cluster: string, backend: string): AgentSay;
}

export class SignalBoard implements SignalView, AgentView {
  readonly #clusters = new Map<string, Map<string, BackendRecord>>();

  of(cluster: string, backend: string): BackendSignals {
    return this.#clusters.get(cluster)?.get(backend)?.signals ?? NO_SIGNALS;
  }

  agent(cluster: string, backend: string): AgentSay {
    return this.#clusters.get(cluster)?.get(backend)?.agent ?? NO_SAY;
  }

  /** A backend whose sources begin: what another of that name said before is forgotten. */
  begin(cluster: string, backend: string): BackendRecord {
    const record = new BackendRecord();
    const backends = this.#clusters.get(cluster) ?? new Map<string, BackendRecord>();
    this.#clusters.set(cluster, backends);
    backends.set(backend, record);
    return record;
  }

  /** Unless another of that name has begun meanwhile. */
  forget(cluster: string, backend: string, record: BackendRecord): void {
    const backends = this.#clusters.get(cluster);
    if (backends?.get(backend) !== record) return;
    backends.delete(backend);
    if (backends.size === 0) this.#clusters.delete(cluster);
  }

  /** For people and metrics; empty for a backend without sources. */
  report(
    cluster: string,
    backend: string,
    nowMs: number,
  ): { readonly signals: SignalReport[]; readonly sources: SourceReport[] } {
    const record = this.#clusters.get(cluster)?.get(backend);
    if (record === undefined) return { signals: [], sources: [] };
    const signals = SIGNAL_KINDS.flatMap((kind, index): SignalReport[] => {
      const reading = record.signals[kind];
      if (reading === null) return [];
      const { value, atMs, source } = reading;
      return [{ signal: SIGNAL_NAMES[index]!, value, ageMs: Math.max(0, Math.round(nowMs - atMs)), source }];
    });
    const sources = record.sources.map(({ source, name, ok, detail, heardMs, failures, refused }) => ({
      ...{ source, name, ok, detail, failures, refused },
      ageMs: heardMs < 0 ? null : Math.max(0, Math.round(nowMs - heardMs)),
    }));
    return { signals, sources };
  }
}

/** The source answered. */
export function heard(state: SourceState, nowMs: number, detail: string): void {
  state.ok = true;
  state.heardMs = nowMs;
  state.detail = detail;
}

/** It did not, or not as it should. True when that is news. */
export function failed(state: SourceState, detail: string): boolean {
  const news = state.ok !== false;
  state.ok = false;
  state.failures += 1;
  state.detail = detail;
  return news;
}
