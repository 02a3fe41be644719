// What a reader has been fed and has not read yet.

const NOTHING: Buffer = Buffer.alloc(0);

export class Fed {
  /** The next piece of a body; what it views is whoever's who fed it. */
  chunk = NOTHING;
  protected bytes = NOTHING;
  protected at = 0;

  /** Bytes that were fed and not read. */
  get unread(): number {
    return this.bytes.length - this.at;
  }

  feed(bytes: Buffer): void {
    this.bytes = this.unread === 0 ? bytes : Buffer.concat([this.bytes.subarray(this.at), bytes]);
    this.at = 0;
  }

  /** Behind an upgrade: what was fed beyond it, which is not HTTP any more. */
  rest(): Buffer {
    const rest = this.bytes.subarray(this.at);
    this.drop();
    return rest;
  }

  /** What was fed is about to be overwritten: what is left of it is copied. */
  keep(): void {
    if (this.unread === 0) return;
    this.bytes = Buffer.from(this.bytes.subarray(this.at));
    this.at = 0;
  }

  protected drop(): void {
    this.bytes = NOTHING;
    this.at = 0;
  }

  /** Bytes that were read are not held on to: an idle connection ought to cost nothing. */
  protected release(): void {
    this.chunk = NOTHING;
    if (this.at === this.bytes.length) this.drop();
  }
}
