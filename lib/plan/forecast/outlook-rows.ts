// What a network is to learn of a past: the past is lived through once more, and each minute asks what came of it.

import { answerOf, OUTLOOK_MINUTES, OutlookInputs } from './outlook-inputs.ts';

export interface TrainingRow {
  readonly input: number[];
  readonly output: number[];
}

/** Until so many minutes have passed there is no last week to look at. */
const FIRST_MINUTES = 7 * 1440 + 60;
const FARTHEST = Math.max(...OUTLOOK_MINUTES);

/**
 * At most one row a minute, two weeks of them of a history of three. `minute` is that of the last load, since 1970. All of it is half a
 * second of work: `breathe` is called between two minutes.
 */
export function trainingRows(
  history: ArrayLike<number>,
  minute: number,
  breathe: () => void = () => {},
): TrainingRow[] {
  const inputs = new OutlookInputs();
  const rows: TrainingRow[] = [];
  const first = minute - history.length + 1;
  for (let i = 0; i + FARTHEST < history.length; i++) {
    breathe();
    inputs.push(history[i]!, first + i);
    if (i < FIRST_MINUTES) continue;
    const { anchor, changes } = inputs;
    rows.push({
      input: Array.from(inputs.values),
      output: OUTLOOK_MINUTES.map((ahead, r) => answerOf(history[i + ahead]!, anchor, changes[r]!)),
    });
  }
  return rows;
}
