// Decides which requests are traced, before a span exists, and turns those into span records for the control plane.

import { type Fields, type MutableFields, removeField, setField } from '../core/fields.ts';
import type { IdSource } from '../core/ids.ts';
import type { SpanRecord } from '../orders/messages.ts';
import type { AttemptRecord, RequestRecord, TraceContext, Tracer } from './emit.ts';
import type { QueryPolicy } from './query.ts';
import {
  clientAttributes,
  clientSpanName,
  isAttemptError,
  isServerError,
  serverAttributes,
  serverSpanName,
} from './span-attributes.ts';
import {
  FLAG_RANDOM,
  FLAG_SAMPLED,
  formatTraceparent,
  type ReceivedContext,
  receiveContext,
} from './trace-context.ts';

export interface TracerSettings {
  /** False without a collector: then nothing is recorded, whatever callers decided, and their decision is passed on untouched. */
  readonly recording: boolean;
  /** Of traces that begin here. */
  readonly sample: number;
  /** `names` when left out. */
  readonly query?: QueryPolicy;
}

/** Where finished spans go: SpanSender.push. */
export type SpanSink = (span: SpanRecord) => void;

/** More attempts than any retry policy allows; beyond it an attempt leaves no span. */
const MAX_ATTEMPT_SPANS = 32;
const RANDOM_SPACE = 2 ** 52;

export class SamplingTracer implements Tracer {
  readonly #ids: IdSource;
  readonly #sink: SpanSink;
  #recording = false;
  #threshold = RANDOM_SPACE;
  #query: QueryPolicy = 'names';

  constructor(ids: IdSource, sink: SpanSink, settings: TracerSettings) {
    this.#ids = ids;
    this.#sink = sink;
    this.configure(settings);
  }

  /** Takes effect for the next request. */
  configure(settings: TracerSettings): void {
    this.#recording = settings.recording;
    this.#threshold = (1 - settings.sample) * RANDOM_SPACE;
    this.#query = settings.query ?? 'names';
  }

  begin(received: Fields): TraceContext {
    const parent = receiveContext(received);
    const traceId = parent?.traceId ?? this.#ids.hex(16);
    if (!this.#isSampled(parent, traceId))
      return new PassedContext(
        traceId,
        parent?.parentId ?? this.#ids.hex(8),
        parent?.flags ?? FLAG_RANDOM,
        parent?.traceState ?? '',
      );
    return new RecordedContext(traceId, this.#ids.hex(8), parent, this.#ids, this.#sink, this.#query);
  }

  /**
   * The caller's decision is followed. A root is kept when the random part of its trace id reaches the rejection threshold, as
   * OpenTelemetry's consistent sampling has it: with the same ratio, proxies and services keep the same traces.
   */
  #isSampled(parent: ReceivedContext | undefined, traceId: string): boolean {
    if (!this.#recording) return false;
    if (parent !== undefined) return (parent.flags & FLAG_SAMPLED) !== 0;
    // 52 of the 56 random bits: what a double holds exactly.
    return Number.parseInt(traceId.slice(18, 31), 16) >= this.#threshold;
  }
}

/** Not recorded: the one small object an unsampled request costs. A caller's ids go on unchanged, since no span of ours stands between. */
class PassedContext implements TraceContext {
  readonly sampled = false;
  readonly traceId: string;
  readonly spanId: string;
  readonly #flags: number;
  readonly #traceState: string;

  constructor(traceId: string, spanId: string, flags: number, traceState: string) {
    this.traceId = traceId;
    this.spanId = spanId;
    this.#flags = flags;
    this.#traceState = traceState;
  }

  inject(fields: MutableFields): string {
    write(fields, this.traceId, this.spanId, this.#flags, this.#traceState);
    return this.spanId;
  }

  attemptEnded(): void {}
  requestEnded(): void {}
}

/** Recorded: gathers the attempts until the request is over, since only then method, route and cluster are known. */
class RecordedContext implements TraceContext {
  readonly sampled = true;
  readonly traceId: string;
  readonly spanId: string;
  readonly #parent: ReceivedContext | undefined;
  readonly #ids: IdSource;
  readonly #sink: SpanSink;
  readonly #query: QueryPolicy;
  #attempts: AttemptRecord[] = [];
  #request: RequestRecord | undefined;

  constructor(
    traceId: string,
    spanId: string,
    parent: ReceivedContext | undefined,
    ids: IdSource,
    sink: SpanSink,
    query: QueryPolicy,
  ) {
    this.traceId = traceId;
    this.spanId = spanId;
    this.#parent = parent;
    this.#ids = ids;
    this.#sink = sink;
    this.#query = query;
  }

  inject(fields: MutableFields): string {
    const spanId = this.#ids.hex(8);
    const random = this.#parent === undefined ? FLAG_RANDOM : this.#parent.flags & FLAG_RANDOM;
    write(fields, this.traceId, spanId, FLAG_SAMPLED | random, this.#traceState);
    return spanId;
  }

  attemptEnded(attempt: AttemptRecord): void {
    // An attempt that was given up may end after its request.
    if (this.#request !== undefined) this.#emitAttempt(this.#request, attempt);
    else if (this.#attempts.length < MAX_ATTEMPT_SPANS) this.#attempts.push(attempt);
  }

  requestEnded(request: RequestRecord): void {
    if (this.#request !== undefined) return;
    this.#request = request;
    for (const attempt of this.#attempts) this.#emitAttempt(request, attempt);
    this.#attempts = [];
    this.#sink({
      kind: 'server',
      name: serverSpanName(request),
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: this.#parent?.parentId ?? null,
      traceState: this.#traceState,
      startMs: request.startMs,
      endMs: request.endMs,
      attributes: serverAttributes(request, this.#query),
      error: isServerError(request),
    });
  }

  #emitAttempt(request: RequestRecord, attempt: AttemptRecord): void {
    this.#sink({
      kind: 'client',
      name: clientSpanName(request.method),
      traceId: this.traceId,
      spanId: attempt.spanId,
      parentSpanId: this.spanId,
      traceState: this.#traceState,
      startMs: attempt.startMs,
      endMs: attempt.endMs,
      attributes: clientAttributes(request, attempt, this.#query),
      error: isAttemptError(attempt),
    });
  }

  get #traceState(): string {
    return this.#parent?.traceState ?? '';
  }
}

function write(
  fields: MutableFields,
  traceId: string,
  spanId: string,
  flags: number,
  traceState: string,
): void {
  setField(fields, 'traceparent', formatTraceparent(traceId, spanId, flags));
  // What was received is replaced even by nothing: it was malformed, or belonged to no trace.
  if (traceState === '') removeField(fields, 'tracestate');
  else setField(fields, 'tracestate', traceState);
}
