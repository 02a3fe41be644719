// Chance as a port: pickers, jitter and sampling draw from a Random, so that a failure replays from its seed.

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: Math.random };

/** SplitMix32 (Steele, Lea, Flood 2014, the 32-bit variant): small, fast, good enough for choice and jitter. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return ((z ^ (z >>> 15)) >>> 0) / 0x1_0000_0000;
    },
  };
}

/** Integer, uniform in [0, n). */
export const below = (random: Random, n: number): number => Math.floor(random.next() * n);
