// Numbers as people read them in a table.

import { formatDuration } from '../core/units.ts';

/** At most two units: `3d4h`, `1m30s`, `250ms`. */
export function shortDuration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  for (const [from, step] of STEPS) if (whole >= from) return formatDuration(Math.floor(whole / step) * step);
  return formatDuration(whole);
}

const STEPS: readonly (readonly [fromMs: number, stepMs: number])[] = [
  [86_400_000, 3_600_000],
  [3_600_000, 60_000],
  [1_000, 1_000],
];

/** `512 B`, `1.5 KiB`, `12 MiB`. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
