// Aligned tables in plain text: the last column gives way when the terminal is narrow, and nothing printed can steer it.

export type Paint = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

const CODES: Readonly<Record<Paint, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

export interface Look {
  readonly columns: number;
  readonly color: boolean;
}

const GAP = '  ';
const MIN_LAST = 8;

export const painted = (text: string, paint: Paint | undefined, color: boolean): string =>
  color && paint !== undefined ? `\x1b[${CODES[paint]}m${text}\x1b[0m` : text;

/** Control characters would let a backend's or client's words move the cursor. */
export const printable = (text: string): string => text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, '·');

/** Ends with a line break; strings are cells without colour. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly (Cell | string)[])[],
  look: Look,
): string {
  const cells = rows.map(row =>
    row.map(cell =>
      typeof cell === 'string' ? { text: printable(cell) } : { ...cell, text: printable(cell.text) },
    ),
  );
  const head = columns.map(({ title }): Cell => ({ text: title, paint: 'dim' }));
  const all = [head, ...cells];
  const widths = columns.map((_, i) => Math.max(...all.map(row => row[i]!.text.length)));
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.min(widths[last]!, Math.max(MIN_LAST, look.columns - before));
  return all.map(row => `${line(row, columns, widths, look)}\n`).join('');
}

function line(
  row: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
  look: Look,
): string {
  return row
    .map(({ text, paint }, i) => {
      const width = widths[i]!;
      const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
      const last = i === columns.length - 1;
      const padded = columns[i]!.right ? cut.padStart(width) : last ? cut : cut.padEnd(width);
      return painted(padded, paint, look.color);
    })
    .join(GAP)
    .trimEnd();
}
