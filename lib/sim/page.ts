// One self-contained page for whatever was compared: a table and plots for each part.

import { escaped } from './plots.ts';
import type { Block } from './report.ts';

const STYLE = `body{font:14px/1.4 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;font-size:12px;width:100%}td,th{padding:2px 6px;text-align:right;border-bottom:1px solid #eee}
td:first-child,th:first-child{text-align:left}figure{margin:1em 0}svg text{font:11px system-ui,sans-serif;fill:#444}
.legend span{margin-right:1em;white-space:nowrap}.legend i{display:inline-block;width:12px;height:12px;margin-right:4px}
.met{color:#007a4d}.missed{color:#b00020}`;

/** A table, and the plots that belong to it as SVG. */
export interface Section {
  readonly block: Block;
  readonly plots: readonly string[];
}

export function page(name: string, describe: string, sections: readonly Section[]): string {
  const parts = sections.map(
    ({ block, plots }) =>
      `<section><h2>${escaped(block.title)}</h2>${tableOf(block)}${plots.join('')}</section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(name)}</title><style>${STYLE}</style></head><body><h1>${escaped(name)}</h1><p>${escaped(describe)}</p>${parts.join('')}</body></html>\n`;
}

function tableOf({ columns, lines, goals }: Block): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map(cell => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  const met = goals.map(
    goal =>
      `<li class="${goal.met ? 'met' : 'missed'}">${goal.met ? 'met' : 'missed'}: ${escaped(goal.text)}</li>`,
  );
  return `<table>${row(columns, 'th')}${lines.map(line => row(line, 'td')).join('')}</table>${met.length === 0 ? '' : `<ul>${met.join('')}</ul>`}`;
}
