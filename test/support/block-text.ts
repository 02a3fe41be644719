// A table of a comparison as a bench prints it.

import type { Block } from '../../lib/sim/report.ts';

export const blockText = ({ columns, lines, goals }: Block): string =>
  [
    ...[columns, ...lines].map(line =>
      line.map((cell, i) => (i === 0 ? cell.padEnd(24) : ` ${cell}`.padStart(10))).join(''),
    ),
    ...goals.map(({ text, met }) => `${met ? 'met   ' : 'MISSED'}  ${text}`),
    '',
  ].join('\n');
