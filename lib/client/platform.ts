// Time, chance and the network as the browser and Node give them: the one place of the SDK that touches globals.

/** Everything the SDK needs of its surroundings; a test brings its own. */
export interface Platform {
  connect(url: string, protocols: string[]): WebSocket;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Monotonic. */
  nowMs(): number;
  /** Runs once after `ms`; what is returned calls it off. */
  after(ms: number, run: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
  randomBytes(length: number): Uint8Array;
}

export const platform: Platform = {
  connect: (url, protocols) => new WebSocket(url, protocols),
  fetch: (url, init) => fetch(url, init),
  nowMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  randomBytes: length => crypto.getRandomValues(new Uint8Array(length)),
};
