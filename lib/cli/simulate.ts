// Runs a scenario and prints what came of it, or what is wrong with its file.

import { writeFile } from 'node:fs/promises';
import { formatProblem, summarize } from '../config/problem.ts';
import { EXIT, type ExitCode } from '../core/exit-codes.ts';
import { compare } from '../sim/compare.ts';
import { htmlReport } from '../sim/html-report.ts';
import { blocksOf, rowsOf } from '../sim/report.ts';
import { loadScenario } from '../sim/scenario/load.ts';
import type { CliIo } from './io.ts';
import { jsonText } from './json.ts';
import { painted, table } from './table.ts';

export interface SimulateOptions {
  readonly path: string;
  readonly name: string;
  readonly seeds: number | undefined;
  readonly json: boolean;
  readonly progress: boolean;
  /** File for a page with plots. */
  readonly report: string | undefined;
  readonly io: CliIo;
}

const BAR = 30;

/** A goal that is missed is a finding and no failure: the exit code stays 0. */
export async function simulate({
  path,
  name,
  seeds,
  json,
  progress,
  report,
  io,
}: SimulateOptions): Promise<ExitCode> {
  const loaded = await loadScenario(path);
  if (!loaded.ok) {
    if (json) io.out.write(jsonText({ valid: false, problems: loaded.problems }));
    else {
      for (const problem of loaded.problems) io.err.write(`${formatProblem(problem)}\n`);
      io.err.write(`${summarize(loaded.problems)}\n`);
    }
    return loaded.missing ? EXIT.usage : EXIT.configInvalid;
  }
  const { scenario } = loaded;
  const startMs = io.clock.monotonicMs();
  const done = (finished: number, of: number): void => {
    if (!progress) return;
    const full = Math.round((BAR * finished) / of);
    const leftS = ((io.clock.monotonicMs() - startMs) / finished) * ((of - finished) / 1000);
    const bar = '█'.repeat(full) + '░'.repeat(BAR - full);
    io.err.write(
      `\r${bar} ${finished} of ${of} runs, ${Math.ceil(leftS)} s left  ${finished === of ? '\n' : ''}`,
    );
  };
  const series = await compare(
    scenario,
    seeds ?? scenario.seeds,
    () => undefined,
    (_run, _figures, finished, of) => done(finished, of),
  );
  const rows = rowsOf(name, scenario, series);
  const blocks = blocksOf(scenario, series, rows);
  if (report !== undefined) {
    const failed = await writeFile(report, htmlReport(name, scenario, series, blocks)).catch((e: Error) => e);
    if (failed instanceof Error) {
      io.err.write(`${report} was not written: ${failed.message}\n`);
      return EXIT.usage;
    }
  }
  if (json) {
    io.out.write(jsonText(rows));
    return EXIT.ok;
  }
  io.out.write(`${scenario.describe}\n`);
  for (const { title, columns, lines, goals } of blocks) {
    io.out.write(`\n${painted(title, 'bold', io.color)}\n`);
    io.out.write(
      table(
        columns.map((column, i) => ({ title: column.toUpperCase(), right: i > 0 })),
        lines,
        io,
      ),
    );
    for (const { text, met } of goals)
      io.out.write(`${painted(met ? 'met   ' : 'MISSED', met ? 'green' : 'red', io.color)}  ${text}\n`);
  }
  return EXIT.ok;
}
