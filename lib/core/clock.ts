// Time as a port: everything that waits or measures takes a Clock, so that tests and the simulator own time.

export interface Clock {
  /** Milliseconds since an arbitrary start; never steps back. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may step in both directions. */
  wallMs(): number;
  /** Runs `run` once after `ms`; disposing it before then cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): Disposable;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
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
