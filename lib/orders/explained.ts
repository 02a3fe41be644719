// Why a request would go where it would: what a worker answers when it is asked to explain.

/** A request that is not there: what it would be placed by. */
export interface ExplainQuestion {
  readonly cluster: string;
  /** Hashed where the policy places by key: the value of the header, cookie, query parameter or path. */
  readonly key: string;
}

/** What is foreseen of a backend, and why. */
export interface ExplainedForecast {
  /** Share of its capacity in use. */
  readonly load: number | null;
  /** What the load is the share of, and since when that is known. */
  readonly resource: string | null;
  readonly ageMs: number | null;
  /** Why its own reports are not believed. */
  readonly doubt: string;
  readonly horizons: readonly { readonly horizonMs: number; readonly p50: number; readonly p90: number }[];
  /** Models that the forecast is made of, by weight; those of little are left out. */
  readonly models: readonly { readonly name: string; readonly weight: number }[];
  /** 0 while none is found. */
  readonly periodMs: number;
  /** Highest load that came at this phase of both of the last two periods; null while no period is known. */
  readonly again: number | null;
  /** That hold now or are to come within the hour. */
  readonly events: readonly {
    readonly name: string;
    readonly factor: number;
    /** Negative when it has begun. */
    readonly beginsInMs: number;
    readonly endsInMs: number;
  }[];
}

export interface ExplainedBackend {
  readonly id: string;
  readonly state: 'none' | 'up' | 'draining' | 'down' | 'maintenance';
  /** A candidate of the policy: up, with a weight over 0. */
  readonly candidate: boolean;
  /** Requests over all workers. */
  readonly inFlight: number;
  /** Requests at once that it may have; 0 for no limit. */
  readonly concurrency: number;
  readonly weight: number;
  /** After slow start and penalties. */
  readonly effectiveWeight: number;
  /** Peak-EWMA of this worker with failures priced in; null when never measured. */
  readonly latencyMs: number | null;
  /** Share of its capacity foreseen to be in use; null without a forecast. */
  readonly predicted: number | null;
  readonly gate: 'open' | 'last resort' | 'shut';
  /** What the policy compares, lower is better; null where it compares nothing. */
  readonly score: number | null;
  /** What the policy knows of it, by names with units. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** What put it behind or before others: of the policy, the gate, health or an operator. Empty when nothing did. */
  readonly remark: string;
  /** The control plane knows it; null where nothing is foreseen. */
  readonly forecast?: ExplainedForecast | null | undefined;
}

export interface Explained {
  readonly cluster: string;
  /** Row of the worker that says so: each learns by itself. */
  readonly worker: number;
  readonly policy: string;
  /** What decides, in a sentence. */
  readonly rule: string;
  /** Id of the backend; null when chance decides, or none takes new work. */
  readonly choice: string | null;
  /** Age of the control plane's last sign of life. */
  readonly controlAgeMs: number | null;
  readonly backends: readonly ExplainedBackend[];
}
