// The envelope's server half: each message of a session once and in order, whichever connections and backends it meets.

import { ACK_AFTER_MS, ACK_EVERY } from '../client/envelope.ts';
import { ackFrame, type EnvelopeFrame, readFrame, welcomeFrame } from '../client/envelope-frames.ts';
import { Sequence } from '../client/sequence.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { type EnvelopeState, type EnvelopeStore, MemoryEnvelopeStore } from './envelope-store.ts';
import { type NoticedSocket, onDrainNotice } from './notice.ts';

/** A server's end of a WebSocket as `ws` has it, with its default `binaryType`. */
export interface EnvelopeSocket extends NoticedSocket {
  on(event: 'ping', listener: (data: Uint8Array) => void): unknown;
  on(event: 'message', listener: (data: unknown, isBinary: boolean) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  send(frame: ArrayBuffer): void;
}

export interface Conversation {
  /** 32 hex digits, chosen by the client: whoever knows it is taken for it. */
  readonly session: string;
  /** False when there is no connection any more, or more is unacknowledged than may be: nothing was sent then. */
  send(data: string | ArrayBuffer | ArrayBufferView): boolean;
}

export interface ConversationHandler {
  /** `fresh`: nothing is known of the session; otherwise it goes on where it was. */
  open?(conversation: Conversation, fresh: boolean): void;
  /** When it returns the message counts as received. */
  message(conversation: Conversation, data: string | ArrayBuffer): void;
  /** The drain notice: send what is owed; then the state is put into the store and the connection closed. */
  drain?(conversation: Conversation): void | Promise<void>;
  close?(conversation: Conversation): void;
}

export interface EnvelopeServerOptions {
  /** Default: this process's memory, which suffices for one backend. */
  readonly store?: EnvelopeStore;
  /** Of one session, sent and not acknowledged. Default 1 MiB. */
  readonly maxKeptBytes?: number;
  /** A connection that says nothing for so long is closed. Default 10,000. */
  readonly helloMs?: number;
  readonly clock?: Clock;
}

const PROTOCOL_ERROR = 1002;
const SERVICE_RESTART = 1012;
/** The session has another connection. */
const REPLACED = 4001;

export class EnvelopeServer {
  readonly #options: Required<EnvelopeServerOptions>;
  /** By session. */
  readonly #live = new Map<string, Connection>();

  constructor(options: EnvelopeServerOptions = {}) {
    this.#options = {
      store: new MemoryEnvelopeStore(),
      maxKeptBytes: 1024 * 1024,
      helloMs: 10_000,
      clock: systemClock,
      ...options,
    };
  }

  /** Speaks the envelope on a new connection. */
  serve(socket: EnvelopeSocket, handler: ConversationHandler): void {
    new Connection(socket, handler, this.#options, this.#live);
  }
}

class Connection implements Conversation {
  session = '';
  readonly #socket: EnvelopeSocket;
  readonly #handler: ConversationHandler;
  readonly #options: Required<EnvelopeServerOptions>;
  readonly #live: Map<string, Connection>;
  #phase: 'silent' | 'loading' | 'open' | 'over' = 'silent';
  #sequence: Sequence;
  #unacknowledged = 0;
  #timer: Disposable | null;

  constructor(
    socket: EnvelopeSocket,
    handler: ConversationHandler,
    options: Required<EnvelopeServerOptions>,
    live: Map<string, Connection>,
  ) {
    this.#socket = socket;
    this.#handler = handler;
    this.#options = options;
    this.#live = live;
    this.#sequence = new Sequence(options.maxKeptBytes);
    this.#timer = options.clock.after(options.helloMs, () => this.#fail(PROTOCOL_ERROR, 'no hello'));
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('close', () => {
      if (this.#phase === 'open') this.#leave().catch(() => {});
      else this.#over();
    });
    onDrainNotice(socket, async () => {
      if (this.#phase !== 'open') return;
      await handler.drain?.(this);
      await this.#leave();
    });
  }

  send(data: string | ArrayBuffer | ArrayBufferView): boolean {
    const frame = this.#phase === 'open' ? this.#sequence.send(data) : null;
    if (frame === null) return false;
    this.#quiet();
    this.#socket.send(frame);
    return true;
  }

  #received(data: unknown, isBinary: boolean): void {
    if (this.#phase === 'over') return;
    const frame = isBinary && data instanceof Uint8Array ? readFrame(data) : null;
    if (frame === null || frame.kind === 'welcome')
      return this.#fail(PROTOCOL_ERROR, 'not a frame of the envelope');
    if (frame.kind === 'hello') {
      if (this.#phase === 'loading' || (this.#phase === 'open' && frame.session !== this.session))
        return this.#fail(PROTOCOL_ERROR, 'a second hello');
      // The client had stopped for a move that came to nothing.
      if (this.#phase === 'open') return this.#welcome(frame, false);
      return void this.#greeted(frame);
    }
    // A proxy may have moved the connection under a client that does not know: it says hello when it comes back.
    if (this.#phase !== 'open') return this.#fail(SERVICE_RESTART, 'hello first');
    if (!this.#sequence.acknowledge(frame.received))
      return this.#fail(PROTOCOL_ERROR, 'acknowledges what was never sent');
    if (frame.kind === 'ack') return;
    const was = this.#sequence.accept(frame.sequence);
    if (was === 'gap') return this.#fail(SERVICE_RESTART, 'a message is missing');
    this.#acknowledgeSoon();
    if (was === 'new') this.#handler.message(this, frame.data);
  }

  async #greeted(hello: EnvelopeFrame & { kind: 'hello' }): Promise<void> {
    this.#quiet();
    this.#phase = 'loading';
    this.session = hello.session;
    const { store, maxKeptBytes } = this.#options;
    let state: EnvelopeState | null;
    try {
      state = this.#live.get(hello.session)?.replaced() ?? (await store.take(hello.session));
    } catch {
      return this.#fail(SERVICE_RESTART, 'the store does not answer');
    }
    // Another connection of the session was quicker.
    state = this.#live.get(hello.session)?.replaced() ?? state;
    // Gone meanwhile: its state waits for the next connection.
    if ((this.#phase as string) === 'over') {
      if (state !== null) store.put(hello.session, state).catch(() => {});
      return;
    }
    // A state from before what the client knows to have happened is worse than none.
    const stale =
      state === null ||
      state.received < hello.acknowledged ||
      state.sent < hello.received ||
      state.sent - state.unacknowledged.length > hello.received;
    this.#sequence = stale
      ? new Sequence(maxKeptBytes, { received: hello.acknowledged, sent: hello.received, unacknowledged: [] })
      : new Sequence(maxKeptBytes, restored(state!));
    this.#phase = 'open';
    this.#live.set(this.session, this);
    this.#welcome(hello, stale);
    this.#handler.open?.(this, stale);
  }

  #welcome(hello: EnvelopeFrame & { kind: 'hello' }, fresh: boolean): void {
    this.#sequence.acknowledge(hello.received);
    this.#socket.send(welcomeFrame(fresh, this.#sequence.received));
    for (const frame of this.#sequence.unacknowledged()) this.#socket.send(frame);
  }

  /** The session has come over another connection to this process: that one goes on from here. */
  replaced(): EnvelopeState {
    const state = this.#state();
    this.#over();
    this.#socket.close(REPLACED, 'the session has another connection');
    return state;
  }

  async #leave(): Promise<void> {
    const state = this.#state();
    this.#over();
    await this.#options.store.put(this.session, state);
  }

  #state(): EnvelopeState {
    const { received, sent, unacknowledged } = this.#sequence.state();
    return {
      received,
      sent,
      unacknowledged: unacknowledged.map(frame => Buffer.from(frame).toString('base64url')),
    };
  }

  #fail(code: number, reason: string): void {
    if (this.#phase === 'open') this.#leave().catch(() => {});
    else this.#over();
    this.#socket.close(code, reason);
  }

  #over(): void {
    if (this.#phase === 'over') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'over';
    this.#quiet();
    if (this.#live.get(this.session) === this) this.#live.delete(this.session);
    if (wasOpen) this.#handler.close?.(this);
  }

  #acknowledgeSoon(): void {
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_EVERY) this.#acknowledge();
    else this.#timer ??= this.#options.clock.after(ACK_AFTER_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#quiet();
    this.#socket.send(ackFrame(this.#sequence.received));
  }

  #quiet(): void {
    this.#unacknowledged = 0;
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
  }
}

function restored({ received, sent, unacknowledged }: EnvelopeState) {
  const frames = unacknowledged.map(text => {
    const bytes = Buffer.from(text, 'base64url');
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  });
  return { received, sent, unacknowledged: frames };
}
