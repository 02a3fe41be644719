// A strict reader of the Prometheus text format 0.0.4: throws at the first line that a scraper could stumble over.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string | undefined;
  readonly samples: Sample[];
}

/** Beyond the format's rules: HELP and TYPE are required, no family is empty of both, no series comes twice. */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line must end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: [name: string, text: string] | null = null;
  let current: Family | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (head !== null) {
      const [, kind, name, rest] = head as unknown as [string, string, string, string];
      if (kind === 'HELP') help = [name, rest];
      else if (kind === 'UNIT') {
        if (current?.name !== name) throw new Error(`UNIT away from its family: ${line}`);
        if (!name.replace(/_total$/, '').endsWith(`_${rest}`))
          throw new Error(`name without its unit: ${line}`);
        (current as { unit: string }).unit = rest;
      } else {
        if (help?.[0] !== name) throw new Error(`TYPE without HELP: ${line}`);
        if (families.has(name)) throw new Error(`family twice: ${name}`);
        if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`unknown type: ${line}`);
        if ((rest === 'counter') !== name.endsWith('_total'))
          throw new Error(`_total is for counters: ${name}`);
        current = { name, type: rest, help: help[1], unit: undefined, samples: [] };
        families.set(name, current);
      }
      continue;
    }
    const sample = parseSample(line);
    if (current === null || baseName(sample.name, current.type) !== current.name)
      throw new Error(`sample outside its family: ${line}`);
    const key = line.slice(0, line.lastIndexOf(' '));
    if (seen.has(key)) throw new Error(`series twice: ${key}`);
    seen.add(key);
    current.samples.push(sample);
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

const baseName = (name: string, type: string): string =>
  type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = match[2] ?? '';
  while (rest !== '') {
    const pair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/.exec(rest);
    if (pair === null) throw new Error(`bad labels: ${line}`);
    labels[pair[1]!] = pair[2]!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
    rest = rest.slice(pair[0].length);
  }
  const value = match[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[3]);
  if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
  return { name: match[1]!, labels, value };
}

function checkHistogram({ name, samples }: Family): void {
  const series = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  for (const [labels, all] of series) {
    const buckets = all.filter(sample => sample.name === `${name}_bucket`);
    const count = all.find(sample => sample.name === `${name}_count`);
    if (!all.some(sample => sample.name === `${name}_sum`)) throw new Error(`no sum: ${labels}`);
    if (buckets.at(-1)?.labels.le !== '+Inf') throw new Error(`no +Inf bucket: ${labels}`);
    if (buckets.at(-1)?.value !== count?.value) throw new Error(`count is not the +Inf bucket: ${labels}`);
    buckets.reduce((before, bucket) => {
      if (bucket.value < before.value) throw new Error(`buckets fall: ${labels}`);
      if (Number(bucket.labels.le) <= Number(before.labels.le)) throw new Error(`bounds fall: ${labels}`);
      return bucket;
    });
  }
}
