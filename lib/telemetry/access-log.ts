// The access log: JSON lines appended by each worker through its own descriptor, never waited for.

import sonicBoom, { type SonicBoom } from 'sonic-boom';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { WorkerLedger } from '../scoreboard/ports.ts';
import { AccessLineFormat } from './access-line.ts';
import type { AccessLog, RequestRecord } from './emit.ts';
import type { QueryPolicy } from './query.ts';

export interface AccessLogOptions {
  /** `log.access`: a path, `stdout`, `stderr` or `off`. */
  readonly destination: string;
  readonly clock: Clock;
  readonly ledger: Pick<WorkerLedger, 'add'>;
  readonly log: Log;
  /** `names` when left out: values of query parameters are where tokens stand. */
  readonly query?: QueryPolicy;
  readonly maxBufferBytes?: number;
}

const STREAMS: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
/** Lines of all workers meet in one pipe: only writes of up to PIPE_BUF bytes are never torn apart (512 on macOS, which has one worker). */
const MAX_PIPE_WRITE = 4_096;
const MAX_FILE_WRITE = 64 * 1_024;
const MAX_BUFFER_BYTES = 4 * 1_024 * 1_024;
/** Characters gathered before the stream sees them: it counts the bytes of each piece it gets, which costs as much as the line itself. */
const CHUNK_LENGTH = 32_768;
const FLUSH_MS = 250;
/** After an error (disk full, no such folder) everything is dropped for this long, then tried again. */
const RETRY_MS = 1_000;

/** `off` gives a log that does nothing; anything else opens at once, in the background. */
export function openAccessLog(options: AccessLogOptions): AccessLog {
  return options.destination === 'off' ? noAccessLog : new FileAccessLog(options);
}

export const noAccessLog: AccessLog = { write() {}, reopen() {}, [Symbol.dispose]() {} };

class FileAccessLog implements AccessLog {
  readonly #options: AccessLogOptions;
  readonly #format: AccessLineFormat;
  readonly #chunkLength: number;
  #stream: SonicBoom;
  #chunk = '';
  #lines = 0;
  #timer: Disposable | null = null;
  /** Monotonic; until then lines are dropped. */
  #brokenUntilMs = 0;
  #broken = false;
  #closed = false;
  /** The stream in use never opened: writing to it would throw, and what it was given is lost. */
  #openFailed = false;
  #handedLines = 0;
  /** Asked of the stream and not done yet. */
  #reopening = false;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#format = new AccessLineFormat(options.query ?? 'names');
    this.#chunkLength = options.destination in STREAMS ? MAX_PIPE_WRITE / 2 : CHUNK_LENGTH;
    this.#stream = this.#open();
  }

  write(record: RequestRecord): void {
    if (this.#closed || (this.#broken && this.#options.clock.monotonicMs() < this.#brokenUntilMs)) {
      this.#options.ledger.add('accessLogDropped', 1);
      return;
    }
    const line = this.#format.line(record);
    // A pipe's chunk must not outgrow what is written in one piece; characters may take up to three bytes.
    if (this.#chunk.length + line.length > this.#chunkLength) this.#flush();
    this.#chunk += `${line}\n`;
    this.#lines += 1;
    this.#timer ??= this.#options.clock.after(FLUSH_MS, () => this.#flush());
  }

  reopen(): void {
    if (this.#closed || this.#options.destination in STREAMS) return;
    this.#flush();
    if (this.#openFailed) this.#replace();
    else {
      this.#reopening = true;
      this.#stream.reopen();
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    try {
      this.#stream.flushSync();
    } catch {
      // Not open yet, or it cannot be written: `end` writes what it can.
    }
    this.#stream.end();
  }

  #open(): SonicBoom {
    const { destination, maxBufferBytes = MAX_BUFFER_BYTES } = this.#options;
    const fd = STREAMS[destination];
    const stream = new sonicBoom.SonicBoom({
      dest: fd ?? destination,
      append: true,
      mkdir: true,
      mode: 0o640,
      sync: false,
      maxLength: maxBufferBytes,
      maxWrite: fd === undefined ? MAX_FILE_WRITE : MAX_PIPE_WRITE,
      // A full pipe is tried again while the buffer has room, but not at the end: nothing would bound it then.
      retryEAGAIN: () => !this.#closed,
    });
    stream.on('error', error => this.#failed(stream, error));
    stream.on('drop', chunk => {
      const lines = countLines(String(chunk));
      this.#handedLines -= lines;
      this.#options.ledger.add('accessLogDropped', lines);
    });
    stream.on('ready', () => {
      this.#reopening = false;
    });
    stream.on('write', () => this.#worked());
    return stream;
  }

  #flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    if (this.#chunk === '') return;
    const chunk = this.#chunk;
    const lines = this.#lines;
    this.#chunk = '';
    this.#lines = 0;
    // Only opening anew helps a stream that never opened; the others keep what they could not write and try it again.
    if (this.#openFailed && this.#options.clock.monotonicMs() >= this.#brokenUntilMs) this.#replace();
    if (this.#openFailed) {
      this.#options.ledger.add('accessLogDropped', lines);
      return;
    }
    this.#handedLines += lines;
    this.#stream.write(chunk);
  }

  #replace(): void {
    this.#openFailed = false;
    this.#stream.destroy();
    this.#stream = this.#open();
  }

  #failed(stream: SonicBoom, error: unknown): void {
    if (stream !== this.#stream) return;
    if (descriptorOf(stream) === -1) {
      this.#openFailed = true;
      this.#options.ledger.add('accessLogDropped', this.#handedLines);
      this.#handedLines = 0;
    }
    // The library forgets to reopen when the write that it waited for fails: on a full disk, just when rotation would help.
    if (this.#reopening) {
      this.#reopening = false;
      stream.reopen();
    }
    this.#brokenUntilMs = this.#options.clock.monotonicMs() + RETRY_MS;
    if (this.#broken) return;
    this.#broken = true;
    this.#options.log.warn('the access log cannot be written; lines are dropped', {
      destination: this.#options.destination,
      reason: messageOf(error),
    });
  }

  #worked(): void {
    if (!this.#broken) return;
    this.#broken = false;
    this.#options.log.info('the access log is written again', { destination: this.#options.destination });
  }
}

/** -1 until it is open. Public in the library, missing from its types. */
const descriptorOf = (stream: SonicBoom): number => (stream as unknown as { readonly fd: number }).fd;

function countLines(chunk: string): number {
  let count = 0;
  for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', at + 1)) count += 1;
  return count;
}
