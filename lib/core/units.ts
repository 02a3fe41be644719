// Durations and sizes as people write them: `30s`, `64KiB`.

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Milliseconds of `1h30m`, `250ms`, `0`; undefined when it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * DURATION_MS[unit!]!;
  return total;
}

/** Bytes of `64KiB`, `10MB`, `512`; undefined when it is not a size. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  const unit = match === null ? undefined : SIZE_BYTES[match[2]!];
  return unit === undefined ? undefined : Math.floor(Number(match![1]) * unit);
}

/** The shortest exact way to write a duration: 90000 → `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const whole = Math.floor(rest / DURATION_MS[unit]!);
    if (whole > 0) text += `${whole}${unit}`;
    rest -= whole * DURATION_MS[unit]!;
  }
  return rest > 0 ? `${text}${Math.round(rest)}ms` : text;
}
