// Time as a port: everything that waits or measures takes a Clock, so that tests and the simulator own time.

export interface Clock {
  /** Milliseconds since an arbitrary start, the same for all threads of the machine; never steps back. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may step in both directions. */
  wallMs(): number;
  /** Runs `run` once after `ms`; disposing it before then cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): Disposable;
}

/**
 * performance.now() counts from the start of its own thread. The system's monotonic clock underneath is one for all, so
 * each thread adds, once, what lies between; the wall clock (performance.timeOrigin) takes no part, since it may step.
 */
const THREAD_START_MS = Math.max(threadStartMs(), threadStartMs(), threadStartMs());

/** Too small by the time between the two readings, which is long at the first call; so the largest of a few is taken. */
function threadStartMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}

export const systemClock: Clock = {
  monotonicMs: () => THREAD_START_MS + performance.now(),
  wallMs: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Repeats `run` every `ms` until disposed; a slow run delays the next one instead of piling up. */
export function every(clock: Clock, ms: number, run: () => void): Disposable {
  let stopped = false;
  let current: Disposable;
  const tick = (): void => {
    run();
    if (!stopped) current = clock.after(ms, tick);
  };
  current = clock.after(ms, tick);
  return {
    [Symbol.dispose]() {
      stopped = true;
      current[Symbol.dispose]();
    },
  };
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer[Symbol.dispose]();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
