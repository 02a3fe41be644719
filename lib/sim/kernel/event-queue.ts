// The events to come, in the order of their time: a 4-ary heap in typed arrays, so that a million events leave no garbage.
//
// The heap holds times and node numbers side by side; what an event is (kind and two integers) stays in its node and is
// not moved. Four children a node instead of two: half the depth, and the four times lie in one cache line.

const INITIAL = 4096;

/** Events at the same time come in the order in which they were pushed. */
export class EventQueue {
  /** Of the event popped last. */
  atMs = 0;
  kind = 0;
  a = 0;
  b = 0;
  readonly #most: number;
  #size = 0;
  #pushed = 0;
  #free = -1;
  #times = new Float64Array(INITIAL);
  #nodes = new Int32Array(INITIAL);
  #kinds = new Uint8Array(INITIAL);
  #as = new Int32Array(INITIAL);
  #bs = new Int32Array(INITIAL);
  /** Order of pushing; of a free node the next free one. */
  #orders = new Float64Array(INITIAL);

  /** `most` pending events; one more is a world that runs away, and throws. */
  constructor(most: number) {
    this.#most = most;
    this.#chainFree(0);
  }

  get size(): number {
    return this.#size;
  }

  push(atMs: number, kind: number, a: number, b: number): void {
    if (this.#free < 0) this.#grow();
    const node = this.#free;
    this.#free = this.#orders[node]!;
    this.#kinds[node] = kind;
    this.#as[node] = a;
    this.#bs[node] = b;
    this.#orders[node] = this.#pushed++;
    let hole = this.#size++;
    const times = this.#times;
    const nodes = this.#nodes;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      // The one that comes is the youngest: among equals it stays below.
      if (times[parent]! <= atMs) break;
      times[hole] = times[parent]!;
      nodes[hole] = nodes[parent]!;
      hole = parent;
    }
    times[hole] = atMs;
    nodes[hole] = node;
  }

  /** The time of the next event; Infinity when there is none. */
  nextMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  /** Takes the earliest event into the fields. Not for an empty queue. */
  pop(): void {
    const node = this.#nodes[0]!;
    this.atMs = this.#times[0]!;
    this.kind = this.#kinds[node]!;
    this.a = this.#as[node]!;
    this.b = this.#bs[node]!;
    this.#orders[node] = this.#free;
    this.#free = node;
    this.#size -= 1;
    if (this.#size > 0) this.#sink(this.#times[this.#size]!, this.#nodes[this.#size]!);
  }

  #sink(atMs: number, node: number): void {
    const times = this.#times;
    const nodes = this.#nodes;
    const size = this.#size;
    let hole = 0;
    for (let child = 1; child < size; child = 4 * hole + 1) {
      let best = child;
      const last = Math.min(child + 4, size);
      for (let other = child + 1; other < last; other++) if (this.#before(other, best)) best = other;
      const bestMs = times[best]!;
      if (bestMs > atMs || (bestMs === atMs && this.#orders[nodes[best]!]! > this.#orders[node]!)) break;
      times[hole] = bestMs;
      nodes[hole] = nodes[best]!;
      hole = best;
    }
    times[hole] = atMs;
    nodes[hole] = node;
  }

  #before(one: number, other: number): boolean {
    const oneMs = this.#times[one]!;
    const otherMs = this.#times[other]!;
    if (oneMs !== otherMs) return oneMs < otherMs;
    return this.#orders[this.#nodes[one]!]! < this.#orders[this.#nodes[other]!]!;
  }

  #chainFree(from: number): void {
    const { length } = this.#kinds;
    for (let node = from; node < length; node++) this.#orders[node] = node + 1 < length ? node + 1 : -1;
    this.#free = from;
  }

  #grow(): void {
    const before = this.#kinds.length;
    if (before >= this.#most) throw new RangeError(`more than ${this.#most} events pending`);
    const after = Math.min(this.#most, before * 2);
    this.#times = grown(this.#times, after);
    this.#nodes = grown(this.#nodes, after);
    this.#kinds = grown(this.#kinds, after);
    this.#as = grown(this.#as, after);
    this.#bs = grown(this.#bs, after);
    this.#orders = grown(this.#orders, after);
    this.#chainFree(before);
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(old: T, length: number): T {
  const larger = new (old.constructor as new (length: number) => T)(length);
  larger.set(old);
  return larger;
}
