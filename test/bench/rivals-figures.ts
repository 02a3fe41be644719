// What the bench reports: the goals, ratios within a round, medians over the rounds.

export interface Row {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: number | null;
  readonly sense: '<=' | '>=';
  /** What the value is a ratio to; empty when it is none. */
  readonly baseline: string;
  readonly runs: number;
}

/** A quantity of one proxy in one setting, once a round. */
export type Rounds = ReadonlyMap<string, readonly number[]>;

interface Goal {
  readonly figure: string;
  readonly quantity: string;
  readonly baseline: string;
  readonly goal: number;
  readonly unit: string;
}

const GOALS: readonly Goal[] = [
  goal('bare/repeated heads/cpu', 'haproxy', 1.2),
  goal('bare/heads that differ/cpu', 'haproxy', 1.35),
  goal('full/repeated heads/cpu', 'haproxy', 1.35),
  goal('full/heads that differ/cpu', 'haproxy', 1.6),
  goal('bare/repeated heads/cpu', 'caddy', 0.35),
  goal('bare/repeated heads/cpu', 'http-proxy', 0.3),
  goal('bare/64 KiB answer/cpu', 'haproxy', 1.2),
  goal('bare/WebSocket 64 B/cpu', 'haproxy', 1.25),
  goal('bare/WebSocket 4 KiB/cpu', 'haproxy', 1.25),
  goal('bare/half load/p99', 'haproxy', 1.5),
  goal('bare/idle keep-alive/memory', '', 20, 'KiB'),
  goal('bare/idle WebSocket/memory', '', 20, 'KiB'),
];

function goal(quantity: string, baseline: string, most: number, unit = 'ratio'): Goal {
  return { figure: quantity.replaceAll('/', ': '), quantity, baseline, goal: most, unit };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Medians of ratios, each within its round; NaN when a round has only one of the two. */
export function medianRatio(of: readonly number[], to: readonly number[]): number {
  return median(of.map((value, round) => value / to[round]!).filter(Number.isFinite));
}

/** Rows for `ours` against the goals, as far as they were measured; `quantities` is by `setting/figure/quantity`, then by proxy. */
export function rowsFor(ours: string, quantities: ReadonlyMap<string, Rounds>): Row[] {
  const rows: Row[] = [];
  for (const { figure, quantity, baseline, goal: most, unit } of GOALS) {
    const rounds = quantities.get(quantity);
    const own = rounds?.get(ours);
    const theirs = baseline === '' ? undefined : rounds?.get(baseline);
    if (own === undefined || (baseline !== '' && theirs === undefined)) continue;
    const value = theirs === undefined ? median(own) : medianRatio(own, theirs);
    rows.push({ figure, value: rounded(value), unit, goal: most, sense: '<=', baseline, runs: own.length });
  }
  return [...rows, ...secondWorker(quantities), ...plain(quantities)];
}

/** What the second worker adds, of what the first does. */
function secondWorker(quantities: ReadonlyMap<string, Rounds>): Row[] {
  const rounds = quantities.get('bare/two workers/rate');
  const [one, two] = [rounds?.get('leaseway'), rounds?.get('leaseway×2')];
  if (one === undefined || two === undefined) return [];
  const value = rounded(medianRatio(two, one) - 1);
  const figure = 'bare: two workers: the second adds';
  return [{ figure, value, unit: 'ratio', goal: 0.8, sense: '>=', baseline: 'one worker', runs: one.length }];
}

/** Every quantity of every proxy, without a goal. */
function plain(quantities: ReadonlyMap<string, Rounds>): Row[] {
  return [...quantities].flatMap(([quantity, rounds]) =>
    [...rounds].map(([proxy, values]) => ({
      figure: `${quantity.replaceAll('/', ': ')}: ${proxy}`,
      value: rounded(median(values)),
      unit: UNITS[quantity.slice(quantity.lastIndexOf('/') + 1)]!,
      ...{ goal: null, sense: '<=' as const, baseline: '', runs: values.length },
    })),
  );
}

export const UNITS: Readonly<Record<string, string>> = {
  cpu: 'µs',
  rate: '1/s',
  p50: 'ms',
  p99: 'ms',
  memory: 'KiB',
};

const rounded = (value: number): number => Number(value.toPrecision(3));

/** A table of one quantity: a line for each figure, a column for each proxy, with the ratio to HAProxy. */
export function table(
  quantity: string,
  quantities: ReadonlyMap<string, Rounds>,
  proxies: readonly string[],
): string {
  const lines = [...quantities].filter(([key]) => key.endsWith(`/${quantity}`));
  if (lines.length === 0) return '';
  const cells = lines.map(([key, rounds]) => {
    const base = rounds.get('haproxy');
    const row = proxies.map(proxy => {
      const values = rounds.get(proxy);
      if (values === undefined) return '';
      const ratio = base === undefined ? '' : ` (${medianRatio(values, base).toFixed(2)})`;
      return `${Number(median(values).toPrecision(3))}${ratio}`;
    });
    return [key.slice(0, -quantity.length - 1).replace('/', ': '), ...row];
  });
  const rows = [[`${quantity}, ${UNITS[quantity]} (× HAProxy)`, ...proxies], ...cells];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}
