// A WebSocket that outlives its connections: moves before its backend is overloaded, comes back after it is lost, and shows which.
//
//   connecting ──► open ──► migrating ──► open ──► …      the new connection first, then the end of the old one
//       │           │ lost      │ lost
//       │           ▼           ▼
//       │        reconnecting ──► open                    full jitter
//       ▼           ▼
//     closed ◄─ closing ◄─ close()

import type { MigrationRequestJson } from '../control/api/gen/leaseway/v1/lease_pb.ts';
import { fullJitterMs } from './backoff.ts';
import type { Envelope } from './envelope.ts';
import { LeaseLink } from './lease-link.ts';
import { type Data, Leg, type LegOwner, sizeOf } from './leg.ts';
import { Migration, type MigrationOwner } from './migration.ts';
import { type LeasewayOptions, type Settings, withDefaults } from './options.ts';

export type LeasewayState = 'connecting' | 'open' | 'migrating' | 'reconnecting' | 'closing' | 'closed';

/** A connection that has stood for so long is no failed try. */
const STABLE_MS = 5_000;
/** A resume callback that takes longer has failed. */
const RESUME_MS = 10_000;

type Handler<E extends Event> = ((event: E) => unknown) | null;

/**
 * As WebSocket, but for this: `send` before the first `open` throws, later it waits when there is no connection; readyState stays 1
 * while it migrates or reconnects. Further events: `state`, `migrated`, `status` (of the server), `lease`, `fresh` (envelope: the
 * backend has no memory of the session). Messages given to a connection that then breaks may be lost without an envelope.
 */
export class LeasewaySocket extends EventTarget {
  readonly url: string;
  onopen: Handler<Event> = null;
  onmessage: Handler<MessageEvent> = null;
  onerror: Handler<Event> = null;
  onclose: Handler<CloseEvent> = null;
  readonly #settings: Settings;
  readonly #protocols: string[];
  readonly #link: LeaseLink | null;
  readonly #envelope: Envelope | null;
  readonly #legOwner: LegOwner;
  readonly #held: Data[] = [];
  #heldBytes = 0;
  #state: LeasewayState = 'connecting';
  #opened = false;
  #leg: Leg | null = null;
  #migration: Migration | null = null;
  #closing: { readonly code?: number; readonly reason?: string } | null = null;
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  /** Tries since the last connection that stood. */
  #attempt = 0;
  #untimer: () => void = () => {};

  constructor(url: string | URL, protocols: string | string[] = [], options: LeasewayOptions = {}) {
    super();
    if (options.envelope && options.resume) throw new TypeError('either an envelope or a resume callback');
    const target = new URL(url);
    target.protocol = target.protocol.replace('http', 'ws');
    if (!/^wss?:$/.test(target.protocol) || target.hash !== '')
      throw new DOMException(`not the URL of a WebSocket: ${url}`, 'SyntaxError');
    this.url = target.href;
    this.#protocols = typeof protocols === 'string' ? [protocols] : protocols;
    this.#settings = withDefaults(options);
    const { service = target.origin.replace('ws', 'http'), platform } = this.#settings;
    this.#link =
      service === null
        ? null
        : new LeaseLink(platform, service, target.pathname + target.search, {
            migration: request => this.#migrate(request),
            status: detail => this.#say(new CustomEvent('status', { detail })),
            leased: detail => this.#say(new CustomEvent('lease', { detail })),
          });
    this.#envelope =
      options.envelope?.(platform, {
        write: frame => this.#leg?.send(frame),
        deliver: data => this.#deliver(data),
        broken: reason => {
          this.#leg?.drop();
          this.#end(1002, reason, false);
        },
        fresh: () => this.#say(new Event('fresh')),
      }) ?? null;
    this.#legOwner = {
      legOpened: () => void this.#legOpened(),
      legMessage: data => (this.#envelope ? this.#envelope.receive(data) : this.#deliver(data)),
      legClosed: (_leg, code, reason, clean) => this.#legClosed(code, reason, clean),
    };
    void this.#connect();
  }

  get state(): LeasewayState {
    return this.#state;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    if (this.#state === 'connecting') return 0;
    if (this.#state === 'closing') return 2;
    return this.#state === 'closed' ? 3 : 1;
  }

  get protocol(): string {
    return this.#leg?.protocol ?? '';
  }

  /** Always empty: a connection with extensions cannot be moved. */
  get extensions(): '' {
    return '';
  }

  /** What waits here, and in the connection; with an envelope also what is not acknowledged. */
  get bufferedAmount(): number {
    return this.#heldBytes + (this.#envelope?.keptBytes ?? 0) + (this.#leg?.bufferedAmount ?? 0);
  }

  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType;
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    this.#binaryType = type;
    if (this.#envelope) return;
    if (this.#leg) this.#leg.binaryType = type;
    if (this.#migration) this.#migration.leg.binaryType = type;
  }

  /** Throws QuotaExceededError when more waits than may: nothing of this message was sent then. */
  send(data: Data): void {
    if (this.#state === 'connecting') throw new DOMException('not open yet', 'InvalidStateError');
    if (this.readyState !== 1 || this.#closing) return;
    if (this.#envelope) {
      if (typeof data === 'object' && 'size' in data) throw new TypeError('an envelope takes no Blob');
      if (!this.#envelope.send(data)) throw new DOMException('too much waits', 'QuotaExceededError');
    } else if (this.#leg?.isOpen && !this.#holding) this.#leg.send(data);
    else {
      const size = sizeOf(data);
      if (this.#heldBytes + size > this.#settings.maxHeldBytes)
        throw new DOMException('too much waits', 'QuotaExceededError');
      this.#held.push(data);
      this.#heldBytes += size;
    }
  }

  /** What waits for a migration is sent first; what waits for a lost connection is not sent any more. */
  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999))
      throw new DOMException(`close code ${code}`, 'InvalidAccessError');
    if (this.readyState > 1 || this.#closing) return;
    this.#closing = { ...(code !== undefined && { code }), ...(reason !== undefined && { reason }) };
    // The old connection is the proxy's to close now.
    if (this.#migration?.ready) return;
    this.#migration?.abandon('the application closes');
    this.#migration = null;
    this.#untimer();
    if (this.#leg?.isOpen) this.#closeLeg();
    else {
      this.#leg?.drop();
      this.#end(1006, '', false);
    }
  }

  get #holding(): boolean {
    return this.#state === 'reconnecting' || this.#migration?.ready === true;
  }

  async #connect(): Promise<void> {
    const ticket = (await this.#link?.register()) ?? null;
    if (this.#closing || this.#state === 'closed') return;
    try {
      this.#leg = this.#open(ticket, this.#protocols, this.#legOwner);
    } catch (error) {
      // What no WebSocket takes, as a subprotocol with a blank: it will not be better next time.
      this.#end(1006, String(error), false);
    }
  }

  #open(ticket: string | null, protocols: string[], owner: LegOwner): Leg {
    const url = new URL(this.url);
    if (ticket !== null) url.searchParams.set('leaseway_ticket', ticket);
    const leg = new Leg(this.#settings.platform, url.href, protocols, ticket ?? '', owner);
    leg.binaryType = this.#envelope ? 'arraybuffer' : this.#binaryType;
    return leg;
  }

  async #legOpened(): Promise<void> {
    const leg = this.#leg!;
    const again = this.#opened;
    if (again && !(await this.#resumed('reconnect', leg))) {
      // Without it the backend does not know who this is; the next try may go better.
      if (leg === this.#leg && leg.isOpen) leg.close(4000, 'not resumed');
      return;
    }
    if (leg !== this.#leg || !leg.isOpen || this.#closing) return;
    this.#opened = true;
    this.#untimer = this.#settings.platform.after(STABLE_MS, () => {
      this.#attempt = 0;
    });
    this.#use(leg);
    if (!again) this.#fire('open', new Event('open'));
  }

  /** Calls the application; false when it failed. */
  async #resumed(cause: 'migration' | 'reconnect', leg: Leg): Promise<boolean> {
    const { resume, platform } = this.#settings;
    if (!resume) return true;
    let untimer = (): void => {};
    const late = new Promise<boolean>(resolve => {
      untimer = platform.after(RESUME_MS, () => resolve(false));
    });
    try {
      const done = Promise.resolve(resume({ cause, send: data => leg.send(data) })).then(() => true);
      return await Promise.race([done, late]);
    } catch {
      return false;
    } finally {
      untimer();
    }
  }

  #use(leg: Leg): void {
    this.#leg = leg;
    this.#envelope?.begin();
    for (const data of this.#held.splice(0)) leg.send(data);
    this.#heldBytes = 0;
    this.#to('open');
    leg.use();
  }

  #legClosed(code: number, reason: string, clean: boolean): void {
    this.#envelope?.pause();
    if (this.#migration !== null) {
      if (this.#settings.reconnectOn(code)) return this.#migration.oldClosed(clean);
      // The backend meant the conversation, not the connection.
      this.#migration.abandon('the backend closed it');
      this.#migration = null;
    }
    this.#leg = null;
    if (this.#closing) return this.#end(code, reason, clean);
    this.#lost(code, reason, clean);
  }

  #lost(code: number, reason: string, clean: boolean): void {
    const { reconnectOn, maxAttempts, retryBaseMs, retryCapMs, platform } = this.#settings;
    const ours = code === 4000 && reason === 'not resumed';
    if ((!ours && !reconnectOn(code)) || this.#attempt >= maxAttempts) return this.#end(code, reason, clean);
    this.#untimer();
    const ms = fullJitterMs(this.#attempt, retryBaseMs, retryCapMs, platform.random);
    this.#attempt += 1;
    this.#untimer = platform.after(ms, () => void this.#connect());
    if (this.#opened) this.#to('reconnecting');
  }

  #migrate(request: MigrationRequestJson): void {
    const link = this.#link!;
    const old = this.#leg;
    if (this.#state !== 'open' || this.#closing || !old?.isOpen || request.connection !== old.ticket) {
      const answer = { failed: { reason: 'there is no such connection to move' } };
      return void link.answer(request.id ?? '', answer).catch(() => {});
    }
    let held = false;
    const owner: MigrationOwner = {
      open: (ticket, legOwner) => this.#open(ticket, old.protocol === '' ? [] : [old.protocol], legOwner),
      resumed: leg => this.#resumed('migration', leg),
      // Nothing more goes over the old connection, acknowledgements of the envelope neither.
      hold: () => {
        held = true;
        this.#envelope?.pause();
      },
      message: data => this.#legOwner.legMessage(data),
      closed: (code, reason, clean) => this.#legClosed(code, reason, clean),
      migrated: (leg, detail) => {
        this.#migration = null;
        this.#use(leg);
        this.#say(new CustomEvent('migrated', { detail }));
        if (this.#closing) this.#closeLeg();
      },
      failed: oldStands => {
        this.#migration = null;
        if (!oldStands) {
          this.#leg = null;
          if (this.#closing) this.#end(1006, '', false);
          else this.#lost(1006, 'its connections are lost', false);
          return;
        }
        if (held) this.#use(old);
        else this.#to('open');
        if (this.#closing) this.#closeLeg();
      },
    };
    this.#to('migrating');
    this.#migration = new Migration(this.#settings.platform, link, request, old, owner);
  }

  #closeLeg(): void {
    this.#to('closing');
    this.#leg!.close(this.#closing!.code, this.#closing!.reason);
  }

  #deliver(data: unknown): void {
    const blob = this.#envelope && this.#binaryType === 'blob' && data instanceof ArrayBuffer;
    const event = new MessageEvent('message', {
      data: blob ? new Blob([data]) : data,
      origin: new URL(this.url).origin,
    });
    this.#fire('message', event);
  }

  #end(code: number, reason: string, wasClean: boolean): void {
    if (this.#state === 'closed') return;
    this.#untimer();
    this.#migration?.abandon('the socket is closed');
    this.#migration = null;
    this.#envelope?.pause();
    this.#link?.close();
    this.#leg = null;
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#to('closed');
    if (!wasClean) this.#fire('error', new Event('error'));
    this.#fire('close', new CloseEvent('close', { code, reason, wasClean }));
  }

  #to(state: LeasewayState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#say(new Event('state'));
  }

  #say(event: Event): void {
    if (this.#state !== 'closed' || event.type === 'state') this.dispatchEvent(event);
  }

  #fire(name: 'open' | 'message' | 'error' | 'close', event: Event): void {
    this.dispatchEvent(event);
    (this[`on${name}`] as Handler<Event>)?.call(this, event);
  }
}
