// One backend: cores shared evenly by the requests that run, at most one core each; some of a request's time it may sleep.
//
//   arrive ─► [waits for a place] ─► sleeps ─► runs ─► done
//               only with a limit                └ rate = speed · min(1, cores / running)
//
// All that run get the same rate, so each needs only a mark on one scale: the service a request present all the time would
// have had (`#served`). It is done when the scale reaches its mark; a change of rate moves no mark. O(log n) an event.

import type { Kernel } from '../kernel/kernel.ts';

export interface ServerHost {
  /** The request sleeps; call `woke` when `ms` have passed, unless it is cancelled before. */
  sleeps(server: number, request: number, ms: number): void;
  /** The request is done; its answer leaves now. */
  completed(server: number, request: number): void;
}

export class Server {
  readonly index: number;
  /** Requests here: waiting, sleeping and running. */
  present = 0;
  /** Sum of `present` over time, in request-ms, up to the last change. */
  presentMs = 0;
  /** Core time used, in core-ms, up to the last change. */
  usedCoreMs = 0;
  #cores: number;
  #speed: number;
  readonly #places: number;
  readonly #kernel: Kernel;
  readonly #host: ServerHost;
  readonly #doneKind: number;
  #running = 0;
  #occupied = 0;
  #served = 0;
  #lastMs = 0;
  /** Departures scheduled for an older state of the server are void. */
  #version = 0;
  /** Heap of marks, and the requests they belong to; of a request that was cancelled the number is -1. */
  readonly #marks: number[] = [];
  readonly #marked: number[] = [];
  readonly #waiting: { request: number; sleepMs: number; workMs: number }[] = [];
  #waitingFrom = 0;

  /** `places` served at once, Infinity for no limit. `doneKind` is scheduled with (index, version), see `due`. */
  constructor(
    index: number,
    capacity: { readonly cores: number; readonly speed: number; readonly places: number },
    kernel: Kernel,
    host: ServerHost,
    doneKind: number,
  ) {
    this.index = index;
    this.#cores = capacity.cores;
    this.#speed = capacity.speed;
    this.#places = capacity.places;
    this.#kernel = kernel;
    this.#host = host;
    this.#doneKind = doneKind;
  }

  get cores(): number {
    return this.#cores;
  }

  get speed(): number {
    return this.#speed;
  }

  /** 0 cores stand still. */
  set(cores: number, speed: number): void {
    if (cores === this.#cores && speed === this.#speed) return;
    this.advance();
    this.#cores = cores;
    this.#speed = speed;
    this.#reschedule();
  }

  /** `sleepMs` and `workMs` are as long as they take at speed 1 on a core of its own. */
  arrive(request: number, sleepMs: number, workMs: number): void {
    this.advance();
    this.present += 1;
    if (this.#occupied >= this.#places) this.#waiting.push({ request, sleepMs, workMs });
    else this.#begin(request, sleepMs, workMs);
  }

  /** The sleep of a request is over. */
  woke(request: number, workMs: number): void {
    this.advance();
    this.#run(request, workMs);
  }

  /** The client gave up; whatever the request held is free. `asleep` when it is between `arrive` and `woke`. */
  cancel(request: number, asleep: boolean): void {
    this.advance();
    const index = this.#marked.indexOf(request);
    if (index >= 0) {
      this.#marked[index] = -1;
      this.#running -= 1;
      this.#leave();
      this.#reschedule();
      return;
    }
    const waits = this.#waiting.findIndex((one, i) => i >= this.#waitingFrom && one.request === request);
    if (waits >= 0) {
      this.#waiting.splice(waits, 1);
      this.present -= 1;
    } else if (asleep) this.#leave();
  }

  /** A departure is due, unless the server has changed since `version`. */
  due(version: number): void {
    if (version !== this.#version) return;
    this.advance();
    // Rounding may leave the scale a hair below the mark: the event that was computed from it is the truth.
    this.#served = Math.max(this.#served, this.#marks[0]!);
    const request = this.#popMark();
    this.#running -= 1;
    this.#leave();
    this.#reschedule();
    this.#host.completed(this.index, request);
  }

  /** Brings the sums up to now. */
  advance(): void {
    const nowMs = this.#kernel.monotonicMs();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (elapsedMs <= 0) return;
    this.presentMs += this.present * elapsedMs;
    this.usedCoreMs += Math.min(this.#running, this.#cores) * elapsedMs;
    this.#served += this.#rate() * elapsedMs;
  }

  #rate(): number {
    return this.#running === 0 ? 0 : this.#speed * Math.min(1, this.#cores / this.#running);
  }

  #begin(request: number, sleepMs: number, workMs: number): void {
    this.#occupied += 1;
    if (sleepMs > 0) this.#host.sleeps(this.index, request, sleepMs / this.#speed);
    else this.#run(request, workMs);
  }

  #run(request: number, workMs: number): void {
    this.#running += 1;
    this.#pushMark(this.#served + workMs, request);
    this.#reschedule();
  }

  /** A place falls free: whoever has waited longest takes it. */
  #leave(): void {
    this.present -= 1;
    this.#occupied -= 1;
    if (this.#waitingFrom >= this.#waiting.length) return;
    const next = this.#waiting[this.#waitingFrom++]!;
    if (this.#waitingFrom > 1024 && this.#waitingFrom * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    this.#begin(next.request, next.sleepMs, next.workMs);
  }

  #reschedule(): void {
    this.#version = (this.#version + 1) | 0;
    while (this.#marked.length > 0 && this.#marked[0] === -1) this.#popMark();
    const rate = this.#rate();
    if (this.#marks.length === 0 || rate === 0) return;
    this.#kernel.schedule((this.#marks[0]! - this.#served) / rate, this.#doneKind, this.index, this.#version);
  }

  #pushMark(mark: number, request: number): void {
    const marks = this.#marks;
    const marked = this.#marked;
    let hole = marks.length;
    marks.push(mark);
    marked.push(request);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (marks[parent]! <= mark) break;
      marks[hole] = marks[parent]!;
      marked[hole] = marked[parent]!;
      hole = parent;
    }
    marks[hole] = mark;
    marked[hole] = request;
  }

  #popMark(): number {
    const marks = this.#marks;
    const marked = this.#marked;
    const first = marked[0]!;
    const mark = marks.pop()!;
    const request = marked.pop()!;
    const size = marks.length;
    if (size === 0) return first;
    let hole = 0;
    for (let child = 1; child < size; child = 2 * hole + 1) {
      if (child + 1 < size && marks[child + 1]! < marks[child]!) child += 1;
      if (marks[child]! >= mark) break;
      marks[hole] = marks[child]!;
      marked[hole] = marked[child]!;
      hole = child;
    }
    marks[hole] = mark;
    marked[hole] = request;
    return first;
  }
}
