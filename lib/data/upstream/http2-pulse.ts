// Decides when an HTTP/2 connection that has gone quiet is to be asked whether it still lives.
//
// A ping every few seconds would find a half-open connection soonest, but servers of gRPC count pings that come
// less than five minutes apart without data between them, and close the connection after the second. So there is
// one ping per doubt: when streams wait and nothing has come for a while. Its answer settles the doubt until a
// new stream is opened or data has flowed again; in between TCP's own keep-alive watches.

const QUIET_MS = 10_000;
const TRUST_MS = 300_000;

export class Pulse {
  #bytesSeen = -1;
  #quietMs = 0;
  #doubt = false;

  /** Something was asked of the peer. */
  doubt(): void {
    if (this.#doubt) return;
    this.#doubt = true;
    this.#quietMs = 0;
  }

  /** The peer answered a ping; `bytes` is what the socket has read, that answer included. */
  proved(bytes: number): void {
    this.#bytesSeen = bytes;
    this.#quietMs = 0;
    this.#doubt = false;
  }

  /** Called at intervals with what the socket has read so far; true when a ping is due. */
  needsPing(bytes: number, streams: number, sinceLastMs: number): boolean {
    if (bytes !== this.#bytesSeen || streams === 0) {
      this.#bytesSeen = bytes;
      this.#quietMs = 0;
      this.#doubt = streams > 0;
      return false;
    }
    this.#quietMs += sinceLastMs;
    return this.#doubt ? this.#quietMs >= QUIET_MS : this.#quietMs >= TRUST_MS;
  }
}
