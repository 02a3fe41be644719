// A trainer as who starts it holds it: begun with its job, heard once, gone.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { TrainingJob, TrainingResult } from '../../orders/training.ts';

/** Many times what a training takes: a thread that needs more ends alone, not with the process. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 };

export interface TrainerEvents {
  trained(result: TrainingResult): void;
  /** It is gone; after `trained` that is its way. */
  ended(reason: string): void;
}

export interface Trainer {
  terminate(): void;
}

export function startTrainer(job: TrainingJob, events: TrainerEvents): Trainer {
  const entry = new URL(`../../trainer${extname(import.meta.filename)}`, import.meta.url);
  const thread = new Worker(entry, {
    workerData: job,
    execArgv: [],
    name: 'trainer',
    resourceLimits: MEMORY,
  });
  let reason: string | undefined;
  thread.on('message', (result: TrainingResult) => events.trained(result));
  thread.on('error', error => {
    reason = error instanceof Error ? error.message : String(error);
  });
  thread.on('exit', code => events.ended(reason ?? `exit ${code}`));
  // Nobody waits for it: a control thread that has nothing else to do may end.
  thread.unref();
  return { terminate: () => void thread.terminate() };
}
