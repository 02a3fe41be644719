// One WebSocket that http-proxy carries: watches its frames, its time and its end, and says what http-proxy cannot.

import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, LeasewayError, messageOf } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import type { Reason } from '../ports.ts';
import { siftAnswerFields } from '../upstream/answer-fields.ts';
import { Flow } from './flow.ts';
import { closeFrame, FrameTracker, maskedCloseFrame } from './frames.ts';
import type { TunnelRequest, TunnelTools } from './http-proxy-tunnels.ts';
import { watchIdle } from './idle-watch.ts';
import { EndNotice, type LiveTunnel, type TunnelEnd, type TunnelEndKind } from './live-tunnel.ts';
import { relayRefusal, writeRefusal } from './refusal.ts';
import { SocketPair } from './socket-pair.ts';

const GOING_AWAY = 1001;
type Phase = 'handshake' | 'refused' | 'open' | 'over';

export class HttpProxyTunnel implements LiveTunnel {
  /** What the client was answered; 0 until then. */
  status = 0;
  /** Why there was no answer of the backend. */
  reason: Reason | null = null;
  bytesIn = 0;
  bytesOut = 0;
  readonly #notice = new EndNotice();
  readonly #request: TunnelRequest;
  readonly #tools: TunnelTools;
  readonly #client: Duplex;
  readonly #trackers = { in: new FrameTracker(true), out: new FrameTracker(false) };
  #phase: Phase = 'handshake';
  #handshake: ClientRequest | null = null;
  #deadline: Disposable | null;
  #idle: Disposable | null = null;
  #backend: Duplex | null = null;
  #pair: SocketPair | null = null;

  constructor(request: TunnelRequest, tools: TunnelTools) {
    this.#request = request;
    this.#tools = tools;
    this.#client = request.socket;
    this.#deadline = tools.clock.after(request.headTimeoutMs, () =>
      this.#abandon('HEAD_TIMEOUT', `no answer to the handshake within ${request.headTimeoutMs} ms`),
    );
    this.#client.on('error', this.#clientError);
    this.#client.on('close', this.#clientClosed);
  }

  get over(): boolean {
    return this.#phase === 'over';
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#notice.add(listener);
  }

  end(code: number): void {
    if (this.#phase === 'open') this.#close('ended', code);
    else this.#abandon('DRAINING', `ended with ${code} before the handshake was done`);
  }

  destroy(): void {
    if (this.#pair !== null) {
      this.#pair.blame('destroyed', '');
      this.#pair.destroy();
      return;
    }
    this.#client.destroy();
    this.#finish('destroyed', '');
  }

  /** http-proxy has made its request and not yet sent it. */
  dispatched(handshake: ClientRequest): void {
    this.#handshake = handshake;
    // http-proxy joins paths and folds double slashes; the target goes out as it is.
    handshake.path = this.#request.head.target;
    // Before http-proxy's own listener, which writes the 101 from what it finds.
    handshake.on('upgrade', (answer, backend) => this.#accepted(answer, backend));
  }

  /** http-proxy has set its listeners; ours come after them from now on. */
  wired(): void {
    // Its relay of a refusal copies Transfer-Encoding beside a body that is decoded already.
    this.#handshake?.removeAllListeners('response');
    this.#handshake?.on('response', answer => this.#refused(answer));
    // Not earlier: an observer that comes before the pipe would get, alone, what http-proxy puts back for the pipe.
    this.#handshake?.on('upgrade', (_answer, backend) => {
      if (this.#phase !== 'open') return;
      this.#client.on('data', this.#watchIn);
      backend.on('data', this.#watchOut);
    });
  }

  /** http-proxy's error listener; it ends the client's socket as soon as this returns. */
  failed(error: unknown): void {
    if (this.#phase !== 'handshake') return;
    const code = error instanceof LeasewayError ? error.code : codeOf(error);
    this.#abandon(code, messageOf(error));
  }

  #accepted(answer: IncomingMessage, backend: Duplex): void {
    if (this.#phase !== 'handshake') {
      backend.destroy();
      return;
    }
    this.#settled('open');
    this.status = 101;
    this.#backend = backend;
    this.#pair = new SocketPair(this.#client, backend, this.#tools.clock, end =>
      this.#finish(end.kind, end.detail),
    );
    // http-proxy writes the 101 from these.
    (answer as { headers: unknown }).headers = {
      ...listed(this.#request.answered({ status: 101, fields: siftAnswerFields(answer.rawHeaders).fields })),
      Connection: 'Upgrade',
      Upgrade: 'websocket',
    };
    this.#idle = watchIdle(
      this.#tools.clock,
      this.#request.idleMs,
      () => this.bytesIn + this.bytesOut,
      () => this.#close('idle', GOING_AWAY),
    );
  }

  #refused(answer: IncomingMessage): void {
    if (this.#phase !== 'handshake') {
      answer.resume();
      return;
    }
    this.#settled('refused');
    this.status = answer.statusCode ?? 502;
    const { fields } = siftAnswerFields(answer.rawHeaders);
    relayRefusal(this.#client, answer, this.#request.answered({ status: this.status, fields }), whole =>
      this.#finish('refused', whole ? `status ${this.status}` : `status ${this.status}, cut short`),
    );
  }

  #close(kind: 'ended' | 'idle', code: number): void {
    const pair = this.#pair!;
    const backend = this.#backend!;
    if (pair.ending) return;
    pair.blame(kind, `closed with ${code}`);
    // From here on we carry it ourselves, since http-proxy's pipes cannot stop between two frames.
    this.#client.unpipe(backend);
    backend.unpipe(this.#client);
    this.#client.off('data', this.#watchIn);
    backend.off('data', this.#watchOut);
    const flowOut = new Flow(backend, this.#client, this.#trackers.out);
    const flowIn = new Flow(this.#client, backend, this.#trackers.in);
    flowOut.start();
    flowIn.start();
    flowOut.finishWith(closeFrame(code));
    flowIn.finishWith(maskedCloseFrame(code, this.#tools.random));
    pair.closeSoon();
  }

  /** There will be no answer of the backend: the client gets ours. */
  #abandon(code: ErrorCode, detail: string): void {
    if (this.#phase !== 'handshake') return;
    this.reason = { code, detail };
    this.#settled('refused');
    this.status = writeRefusal(this.#client, this.reason);
    this.#finish('failed', detail);
  }

  #settled(phase: Phase): void {
    this.#phase = phase;
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = null;
  }

  #finish(kind: TunnelEndKind, detail: string): void {
    if (this.#phase === 'over') return;
    this.#settled('over');
    this.#idle?.[Symbol.dispose]();
    if (this.#pair === null) this.#handshake?.destroy();
    this.#notice.tell({ kind, detail });
  }

  readonly #watchIn = (chunk: Uint8Array): void => {
    this.bytesIn += chunk.length;
    this.#trackers.in.feed(chunk);
  };

  readonly #watchOut = (chunk: Uint8Array): void => {
    this.bytesOut += chunk.length;
    this.#trackers.out.feed(chunk);
  };

  /** Once it is open the pair hears it too; the listener stays, since http-proxy attaches none before. */
  readonly #clientError = (error: Error): void => {
    if (this.#pair === null) this.#finish('client_lost', error.message);
  };

  readonly #clientClosed = (): void => {
    if (this.#pair === null) this.#finish('client_lost', 'the client left during the handshake');
  };
}

/** Errors of node:http's client; those of the dialer have their codes. */
function codeOf(error: unknown): ErrorCode {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (code.startsWith('HPE_')) return 'BAD_ANSWER';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'ANSWER_CUT';
  return code.startsWith('ERR_') ? 'BAD_REQUEST' : 'INTERNAL';
}

/** As http-proxy writes them: repeats as a list under one name. */
function listed(fields: Fields): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    const before = object[fields[i]!];
    object[fields[i]!] = before === undefined ? fields[i + 1]! : [before, fields[i + 1]!].flat();
  }
  return object;
}
