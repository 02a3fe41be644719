// The README taken apart: its fenced blocks with the heading they stand under, and its tables.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const README = readFileSync(resolve(ROOT, 'README.md'), 'utf8');

export interface Block {
  readonly heading: string;
  readonly language: string;
  readonly lines: readonly string[];
}

export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: { heading: string; language: string; lines: string[] } | null = null;
  for (const line of text.split('\n')) {
    if (open !== null) {
      if (line === '```') open = null;
      else open.lines.push(line);
    } else if (line.startsWith('```')) {
      open = { heading, language: line.slice(3), lines: [] };
      blocks.push(open);
    } else if (/^#+ /.test(line)) heading = line.replace(/^#+ /, '');
  }
  return blocks;
}

/** The rows of the table whose first column has this title, each as its cells without back quotes around the whole. */
export function tableOf(text: string, firstTitle: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex(line => cellsOf(line)[0] === firstTitle);
  if (start < 0) throw new Error(`no table begins with ${firstTitle}`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(cellsOf(line).map(cell => /^`([^`]*)`$/.exec(cell)?.[1] ?? cell));
  }
  return rows;
}

/** A pipe within a cell is written with a backslash. */
const cellsOf = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map(cell => cell.trim());

/** What stands in back quotes. */
export const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
