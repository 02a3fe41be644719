// `leaseway validate`: says whether a configuration would be taken, and if not, all that stands in the way.

import { loadConfig } from '../config/load.ts';
import { formatProblem, summarize } from '../config/problem.ts';
import type { Environment } from '../config/substitute.ts';

export interface ValidateOptions {
  readonly json: boolean;
  readonly out: { write(text: string): unknown };
  readonly env: Environment;
}

/** Resolves with the exit code: 0 valid (warnings allowed), 1 not valid, 2 nothing there. */
export async function validate(path: string, { json, out, env }: ValidateOptions): Promise<number> {
  const loaded = await loadConfig(path, env);
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  const exitCode = loaded.ok ? 0 : loaded.missing ? 2 : 1;
  if (json) {
    out.write(`${JSON.stringify({ valid: loaded.ok, problems, files: loaded.files }, null, 2)}\n`);
    return exitCode;
  }
  for (const problem of problems) out.write(`${formatProblem(problem)}\n`);
  if (!loaded.ok) {
    out.write(`${summarize(problems)}\n`);
    return exitCode;
  }
  const { listeners, routes, clusters } = loaded.config;
  const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
  const names = Object.keys(clusters);
  const contents = [
    count(listeners.length, 'listener'),
    count(routes.length, 'route'),
    names.length === 0
      ? 'no cluster'
      : `${count(names.length, 'cluster')} (${names.slice(0, 8).join(', ')}${names.length > 8 ? ' …' : ''})`,
  ].join(', ');
  out.write(`${path} is valid: ${contents}${problems.length > 0 ? `; ${summarize(problems)}` : ''}\n`);
  return exitCode;
}
