// Makes a load series from its spec and a seed, and says which part of it a forecaster could have known.

import { type Random, seededRandom } from '../../core/random.ts';
import { exponential, normal } from '../chance.ts';
import { poisson } from './chance.ts';
import type { Crowds, Job, Ramps, SeriesSpec, Waves } from './spec.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Series {
  readonly stepMs: number;
  readonly startWallMs: number;
  /** As a backend would report it: with the chance of single requests in it. */
  readonly load: Float64Array;
  /** What `load` scatters around. */
  readonly expected: Float64Array;
  /** The part that schedule, clock and announcements determine: waves, jobs, announced events. */
  readonly learnable: Float64Array;
  /** Of that, the jobs. */
  readonly jobs: Float64Array;
  /** What remains between `expected` and `learnable` as a factor, without the noise: ramps, crowds, drift. */
  readonly surprise: Float64Array;
  /** Logarithm of the AR(1) noise. */
  readonly noiseLog: Float64Array;
  /** Factor between one step's noise and the next, 0 when there is none. */
  readonly noiseMemory: number;
  /** Announced factor at each step, 1 where nothing is. */
  readonly announced: Float64Array;
  /** Share of the variance of `load` that `learnable` explains, 0 to 1. */
  readonly learnableShare: number;
}

/** One stream of chance per ingredient, so that leaving one out of a spec does not change the others. */
const stream = (seed: number, ingredient: number): Random =>
  seededRandom((Math.imul(seed, 0x9e3779b1) ^ Math.imul(ingredient, 0x85ebca6b)) >>> 0);

export function generateSeries(spec: SeriesSpec, seed: number): Series {
  const { steps, stepMs } = spec;
  const schedule = new Float64Array(steps);
  const announced = new Float64Array(steps).fill(1);
  const happened = new Float64Array(steps).fill(1);
  const surprise = new Float64Array(steps).fill(1);
  const noiseLog = new Float64Array(steps);
  spec.jobs?.forEach((job, i) => {
    addJob(schedule, job, stepMs, stream(seed, 10 + i));
  });
  for (const event of spec.events ?? []) {
    const end = Math.min(steps, Math.ceil((event.afterMs + event.forMs) / stepMs));
    for (let i = Math.ceil(event.afterMs / stepMs); i < end; i++) {
      announced[i]! *= event.announcedFactor;
      happened[i]! *= event.factor;
    }
  }
  if (spec.ramps !== undefined) addRamps(surprise, spec.ramps, stepMs, stream(seed, 1));
  if (spec.crowds !== undefined) addCrowds(surprise, spec.crowds, stepMs, stream(seed, 2));
  if (spec.driftPerSqrtHour !== undefined) addDrift(surprise, spec.driftPerSqrtHour, stepMs, stream(seed, 3));
  const noiseMemory = addNoise(noiseLog, spec, stream(seed, 4));
  const expected = new Float64Array(steps);
  const learnable = new Float64Array(steps);
  const load = new Float64Array(steps);
  const chance = stream(seed, 5);
  const capacityPerStep = (spec.requestsPerSecond * stepMs) / 1000;
  for (let i = 0; i < steps; i++) {
    const wave = spec.waves === undefined ? 1 : waveAt(spec.waves, spec.startWallMs + i * stepMs);
    const traffic = spec.baseLoad * wave * happened[i]!;
    learnable[i] = traffic + schedule[i]!;
    // A job is the backend's own work: only the traffic fluctuates.
    const factor = surprise[i]! * Math.exp(noiseLog[i]!);
    expected[i] = traffic * factor + schedule[i]!;
    const requests = poisson(chance, traffic * factor * capacityPerStep);
    const work = requests + Math.sqrt(requests) * spec.workVariation * normal(chance);
    load[i] = Math.max(0, work / capacityPerStep) + schedule[i]!;
  }
  return {
    stepMs,
    startWallMs: spec.startWallMs,
    load,
    expected,
    learnable,
    jobs: schedule,
    surprise,
    noiseLog,
    noiseMemory,
    announced,
    learnableShare: explainedShare(load, learnable),
  };
}

/** Highest at the peak hour of the day (UTC); Saturday and Sunday are the weekend, with an hour's passage at midnight. */
function waveAt({ amplitude, peakHour, weekendFactor }: Waves, wallMs: number): number {
  const hour = (wallMs % DAY_MS) / HOUR_MS;
  const daily = 1 + amplitude * Math.cos((2 * Math.PI * (hour - peakHour)) / 24);
  // 1970-01-01 was a Thursday: Saturday begins on day 2.
  const days = (wallMs / DAY_MS - 2 + 7e6) % 7;
  const passage = 1 / 24;
  const weekend =
    days < passage ? days / passage : days < 2 ? 1 : days < 2 + passage ? 1 - (days - 2) / passage : 0;
  return daily * (1 + (weekendFactor - 1) * weekend);
}

function addJob(schedule: Float64Array, job: Job, stepMs: number, random: Random): void {
  const lengthSteps = Math.max(1, Math.round(job.lengthMs / stepMs));
  const phaseMs = random.next() * job.periodMs;
  for (let startMs = phaseMs; ; startMs += job.periodMs) {
    const first = Math.round((startMs + random.next() * job.jitterMs) / stepMs);
    if (first >= schedule.length) return;
    for (let i = 0; i < lengthSteps && first + i < schedule.length; i++)
      schedule[first + i]! += job.shape === 'flat' ? job.load : (job.load * (i + 1)) / lengthSteps;
  }
}

function addRamps(factors: Float64Array, ramps: Ramps, stepMs: number, random: Random): void {
  const lengthMs = 2 * ramps.riseMs + ramps.holdMs;
  for (let startMs = 0; ; startMs += lengthMs) {
    startMs += (HOUR_MS / ramps.perHour) * exponential(random);
    const first = Math.ceil(startMs / stepMs);
    if (first >= factors.length) return;
    for (let i = first; i * stepMs < startMs + lengthMs && i < factors.length; i++) {
      const sinceMs = i * stepMs - startMs;
      const up = Math.min(1, sinceMs / ramps.riseMs, (lengthMs - sinceMs) / ramps.riseMs);
      factors[i]! *= 1 + (ramps.factor - 1) * up;
    }
  }
}

function addCrowds(factors: Float64Array, crowds: Crowds, stepMs: number, random: Random): void {
  for (let startMs = 0; ; ) {
    startMs += (HOUR_MS / crowds.perHour) * exponential(random);
    const first = Math.ceil(startMs / stepMs);
    if (first >= factors.length) return;
    // After eight decay times less than a thousandth is left.
    for (
      let i = first;
      i * stepMs < startMs + crowds.riseMs + 8 * crowds.decayMs && i < factors.length;
      i++
    ) {
      const sinceMs = i * stepMs - startMs;
      const up =
        sinceMs < crowds.riseMs
          ? sinceMs / crowds.riseMs
          : Math.exp(-(sinceMs - crowds.riseMs) / crowds.decayMs);
      factors[i]! *= 1 + (crowds.factor - 1) * up;
    }
  }
}

function addDrift(factors: Float64Array, perSqrtHour: number, stepMs: number, random: Random): void {
  const perStep = perSqrtHour * Math.sqrt(stepMs / HOUR_MS);
  let walk = 0;
  for (let i = 0; i < factors.length; i++) {
    walk += perStep * normal(random);
    factors[i]! *= Math.exp(walk);
  }
}

function addNoise(noiseLog: Float64Array, { noise, stepMs }: SeriesSpec, random: Random): number {
  if (noise === undefined) return 0;
  const memory = Math.exp(-stepMs / noise.correlationMs);
  const fresh = noise.sigma * Math.sqrt(1 - memory * memory);
  let value = noise.sigma * normal(random);
  for (let i = 0; i < noiseLog.length; i++) {
    noiseLog[i] = value;
    value = memory * value + fresh * normal(random);
  }
  return memory;
}

function explainedShare(load: Float64Array, learnable: Float64Array): number {
  const meanLoad = load.reduce((sum, value) => sum + value, 0) / load.length;
  let total = 0;
  let bias = 0;
  for (let i = 0; i < load.length; i++) bias += (load[i]! - learnable[i]!) / load.length;
  let left = 0;
  for (let i = 0; i < load.length; i++) {
    total += (load[i]! - meanLoad) ** 2;
    left += (load[i]! - learnable[i]! - bias) ** 2;
  }
  return total === 0 ? 0 : Math.max(0, 1 - left / total);
}
