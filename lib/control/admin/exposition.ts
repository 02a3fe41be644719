// Writes the Prometheus text format 0.0.4: families in the order given, each with HELP, TYPE and UNIT.

/** What `/metrics` is served as. UNIT lines come from OpenMetrics and are comments here, which every parser skips. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;

export interface FamilyHead {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Last part of the name (before `_total`), such as seconds or bytes. */
  readonly unit?: string;
}

export interface Histogram {
  /** Not cumulative; one more than the bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Collects lines; one instance a scrape. */
export class Exposition {
  readonly #lines: string[] = [];

  /** All samples of one family, as the format requires them: together. */
  family(head: FamilyHead, samples: Iterable<readonly [Labels, number]>): void {
    this.#head(head);
    for (const [labels, value] of samples) this.#sample(head.name, labels, value);
  }

  histograms(
    head: Omit<FamilyHead, 'type'>,
    boundsS: readonly number[],
    series: Iterable<readonly [Labels, Histogram]>,
  ): void {
    this.#head({ ...head, type: 'histogram' });
    for (const [labels, { counts, sum }] of series) {
      let total = 0;
      counts.forEach((count, i) => {
        total += count;
        const le = i < boundsS.length ? String(boundsS[i]) : '+Inf';
        this.#sample(`${head.name}_bucket`, { ...labels, le }, total);
      });
      this.#sample(`${head.name}_sum`, labels, sum);
      this.#sample(`${head.name}_count`, labels, total);
    }
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #head({ name, type, help, unit }: FamilyHead): void {
    this.#lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
    if (unit !== undefined) this.#lines.push(`# UNIT ${name} ${unit}`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(
      ([key, text]) => `${key}="${escaped(text).replaceAll('"', '\\"')}"`,
    );
    this.#lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}`);
  }
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const numberText = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
};
