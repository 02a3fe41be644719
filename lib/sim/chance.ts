// Chance for the world: one stream per purpose, so that what one policy draws never shifts what another one meets.

import { hash32 } from '../core/hash.ts';
import { type Random, seededRandom } from '../core/random.ts';

/** The stream of that name under that seed: the same in every run, independent of all others. */
export const streamOf = (seed: number, purpose: string): Random => seededRandom(hash32(purpose, seed));

/** Exponential with mean 1. */
export const exponential = (random: Random): number => -Math.log(1 - random.next());

/** Normal with mean 0 and deviation 1 (Box and Muller 1958; the second value is dropped: streams stay in step). */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

/** Log-normal with mean 1; `sigma` is the deviation of the logarithm, 0 for the constant 1. */
export const logNormal = (random: Random, sigma: number): number =>
  sigma === 0 ? 1 : Math.exp(sigma * normal(random) - (sigma * sigma) / 2);

/** What one request costs, as a multiple of the mean. */
export type WorkShape = 'constant' | 'normal' | 'exponential' | 'log_normal';

/** `deviation` is a multiple of the mean before truncation; exponential work ignores it. */
export function workShape(shape: WorkShape, deviation: number): (random: Random) => number {
  switch (shape) {
    case 'constant':
      return () => 1;
    case 'exponential':
      return exponential;
    case 'log_normal': {
      const sigma = Math.sqrt(Math.log(1 + deviation * deviation));
      return random => logNormal(random, sigma);
    }
    case 'normal': {
      // Values under 0 become 0, which raises the mean: for N(1, 1) to 1.083. The draw is scaled back, so that `mean` is
      // the mean of what is served.
      const scale = 1 / truncatedMean(deviation);
      return random => Math.max(0, 1 + deviation * normal(random)) * scale;
    }
  }
}

/** E[max(0, X)] for X ~ N(1, d²) = Φ(1/d) + d·φ(1/d). */
function truncatedMean(deviation: number): number {
  if (deviation === 0) return 1;
  const z = 1 / deviation;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  return upTo(z) + deviation * density;
}

/** Φ, the normal distribution function (Zelen and Severo 1964, 26.2.17: error under 7.5e-8), for z of 0 or more. */
function upTo(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const tail =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}
