// One figure of a comparison as programs read it, and its goal as people do.

/** The mean over seeds, or a ratio of means to the baseline's on the same seeds. */
export interface Row {
  readonly figure: string;
  readonly value: number;
  /** 95 %. */
  readonly low: number;
  readonly high: number;
  readonly unit: string;
  readonly goal: number | null;
  readonly sense: '<=' | '>=';
  /** Of a ratio: whose figure is 1. */
  readonly baseline: string | null;
  /** By seed. */
  readonly runs: readonly number[];
}

export interface Outcome {
  readonly text: string;
  readonly met: boolean;
}

/** Of those rows that have a goal. */
export const outcomesOf = (rows: readonly Row[]): Outcome[] =>
  rows.flatMap(({ figure, value, low, high, unit, goal, sense }) =>
    goal === null
      ? []
      : [
          {
            text: `${figure}: ${short(value)} [${short(low)}, ${short(high)}] ${unit}, goal ${sense === '<=' ? '≤' : '≥'} ${goal}`,
            met: sense === '<=' ? value <= goal : value >= goal,
          },
        ],
  );

const short = (value: number): string => String(Number(value.toPrecision(4)));
