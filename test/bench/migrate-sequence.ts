// Messages numbered 0, 1, 2 … by one end, as another saw them come: what is missing, came twice, or came out of order.

/** An unbroken run of numbers, with when its first came: the machine's monotonic clock, which processes share. */
export interface Run {
  readonly first: number;
  last: number;
  readonly atUs: number;
}

export interface Verdict {
  readonly lost: number;
  readonly doubled: number;
  /** Runs that began below what had come before. */
  readonly reordered: number;
}

export const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** What one receiver heard of one sender. */
export class Heard {
  readonly runs: Run[] = [];

  note(number: number): void {
    const run = this.runs.at(-1);
    if (run !== undefined && number === run.last + 1) run.last = number;
    else this.runs.push({ first: number, last: number, atUs: monotonicUs() });
  }
}

/** `sent` messages, and the runs of all who received some of them. */
export function judge(sent: number, runs: readonly Run[]): Verdict {
  const inTime = runs.toSorted((a, b) => a.atUs - b.atUs);
  let [reordered, highest, total] = [0, -1, 0];
  for (const { first, last } of inTime) {
    if (first <= highest) reordered += 1;
    highest = Math.max(highest, last);
    total += last - first + 1;
  }
  let [distinct, behind] = [0, -1];
  for (const { first, last } of runs.toSorted((a, b) => a.first - b.first)) {
    distinct += Math.max(0, last - Math.max(first - 1, behind));
    behind = Math.max(behind, last);
  }
  return { lost: sent - distinct, doubled: total - distinct, reordered };
}

export function total(verdicts: readonly Verdict[]): Verdict {
  const sum = (kind: keyof Verdict): number => verdicts.reduce((so, verdict) => so + verdict[kind], 0);
  return { lost: sum('lost'), doubled: sum('doubled'), reordered: sum('reordered') };
}
