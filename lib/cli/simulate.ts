// Runs a scenario and prints what came of it, or what is wrong with its file.

import { writeFile } from 'node:fs/promises';
import { formatProblem, summarize } from '../config/problem.ts';
import { EXIT, type ExitCode } from '../core/exit-codes.ts';
import { compare } from '../sim/compare.ts';
import { htmlReport } from '../sim/html-report.ts';
import { type Block, blocksOf, rowsOf } from '../sim/report.ts';
import { readScenario } from '../sim/scenario/load.ts';
import { type Loaded, type Refused, scenarioKind, textOf } from '../sim/scenario/read.ts';
import { compareSessions, sessionBlock, sessionRows } from '../sim/sessions/compare.ts';
import { sessionReport } from '../sim/sessions/html-report.ts';
import { readSessions } from '../sim/sessions/load.ts';
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

/** What came of a scenario, of whatever kind. */
interface Judged {
  readonly rows: readonly unknown[];
  readonly blocks: readonly Block[];
  /** The page for `--report`. */
  html(): string;
}

type Done = (finished: number, of: number) => void;

const BAR = 30;

/** A goal that is missed is a finding and no failure: the exit code stays 0. */
export async function simulate(options: SimulateOptions): Promise<ExitCode> {
  const { path } = options;
  const file = await textOf(path);
  if (!file.ok) return refused(file, options);
  return scenarioKind(path, file.text) === 'sessions'
    ? run(options, readSessions(path, file.text), async (scenario, done) => {
        const seeds = options.seeds ?? scenario.seeds;
        const series = await compareSessions(
          scenario,
          seeds,
          () => undefined,
          (_run, _figures, finished, of) => done(finished, of),
        );
        const rows = sessionRows(options.name, scenario, series);
        const block = sessionBlock(scenario, series, rows);
        return { rows, blocks: [block], html: () => sessionReport(options.name, scenario, block) };
      })
    : run(options, readScenario(path, file.text), async (scenario, done) => {
        const seeds = options.seeds ?? scenario.seeds;
        const series = await compare(
          scenario,
          seeds,
          () => undefined,
          (_run, _figures, finished, of) => done(finished, of),
        );
        const rows = rowsOf(options.name, scenario, series);
        const blocks = blocksOf(scenario, series, rows);
        return { rows, blocks, html: () => htmlReport(options.name, scenario, series, blocks) };
      });
}

function refused({ problems, missing }: Refused, { json, io }: SimulateOptions): ExitCode {
  if (json) io.out.write(jsonText({ valid: false, problems }));
  else {
    for (const problem of problems) io.err.write(`${formatProblem(problem)}\n`);
    io.err.write(`${summarize(problems)}\n`);
  }
  return missing ? EXIT.usage : EXIT.configInvalid;
}

async function run<T extends { readonly describe: string }>(
  options: SimulateOptions,
  loaded: Loaded<T>,
  judge: (scenario: T, done: Done) => Promise<Judged>,
): Promise<ExitCode> {
  const { json, report, io } = options;
  if (!loaded.ok) return refused(loaded, options);
  const { rows, blocks, html } = await judge(loaded.scenario, progressOf(options));
  if (report !== undefined) {
    const failed = await writeFile(report, html()).catch((e: Error) => e);
    if (failed instanceof Error) {
      io.err.write(`${report} was not written: ${failed.message}\n`);
      return EXIT.usage;
    }
  }
  if (json) io.out.write(jsonText(rows));
  else printed(loaded.scenario.describe, blocks, io);
  return EXIT.ok;
}

function progressOf({ progress, io }: SimulateOptions): Done {
  if (!progress) return () => {};
  const startMs = io.clock.monotonicMs();
  return (finished, of) => {
    const full = Math.round((BAR * finished) / of);
    const leftS = ((io.clock.monotonicMs() - startMs) / finished) * ((of - finished) / 1000);
    const bar = '█'.repeat(full) + '░'.repeat(BAR - full);
    io.err.write(
      `\r${bar} ${finished} of ${of} runs, ${Math.ceil(leftS)} s left  ${finished === of ? '\n' : ''}`,
    );
  };
}

function printed(describe: string, blocks: readonly Block[], io: CliIo): void {
  io.out.write(`${describe}\n`);
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
}
