// The trainer: a thread that lives for one training. Alone loads brain.js; gives back plain numbers.

import { parentPort, workerData } from 'node:worker_threads';
import { seededRandom } from './core/random.ts';
import type { TrainingJob, TrainingResult } from './orders/training.ts';
import { trainingRows } from './plan/forecast/outlook-rows.ts';
import { cpuUs, giveWay, pacer } from './training/pace.ts';

giveWay();
const { history, minute, network, seed, cpu } = workerData as TrainingJob;
const breathe = pacer(cpu);
// Loaded at the low priority.
const { trainNetwork } = await import('./training/train-network.ts');
const rows = trainingRows(history, minute, breathe);
const weights = trainNetwork(rows, network, seededRandom(seed), undefined, breathe);
parentPort!.postMessage({
  network: weights,
  minute,
  rows: rows.length,
  cpuMs: cpuUs() / 1000,
} satisfies TrainingResult);
