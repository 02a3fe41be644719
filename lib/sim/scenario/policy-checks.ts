// What every kind of scenario asks of its policies: each has a name of its own, and baseline and goals name one of them.

import { error, type Finding, type Path } from '../../config/problem.ts';

interface Goal {
  readonly policy: string;
  readonly against?: string | undefined;
}

/** `titles`: of the policies, in the order of the file. */
export function policyFindings(
  titles: readonly string[],
  baseline: string | undefined,
  goals: readonly Goal[],
): Finding[] {
  const found: Finding[] = [];
  titles.forEach((title, i) => {
    if (titles.indexOf(title) !== i)
      found.push(
        error(['policies', i], {
          what: `there is a policy ${title} already`,
          expected: 'another name by "as"',
        }),
      );
  });
  const known = (title: string | undefined, path: Path): void => {
    if (title !== undefined && !titles.includes(title))
      found.push(error(path, { what: `no policy ${title}`, expected: `one of ${titles.join(', ')}` }));
  };
  known(baseline, ['baseline']);
  goals.forEach(({ policy, against }, i) => {
    known(policy, ['goals', i, 'policy']);
    known(against, ['goals', i, 'against']);
  });
  return found;
}
