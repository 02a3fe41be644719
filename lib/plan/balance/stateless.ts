// A policy that learns nothing itself, as a strategy: the view of present loads is all that it reads.

import type { StrategyFactory } from './learner.ts';
import type { PickerFactory } from './picker.ts';

export const stateless =
  (factory: PickerFactory): StrategyFactory =>
  ({ view, random }) => ({
    picker: candidates => factory(candidates, view, random),
    learner: null,
    prober: null,
  });
