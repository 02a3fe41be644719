// From a file to a checked scenario of sessions, or to every problem in it.

import { error, type Finding } from '../../config/problem.ts';
import { policyFindings } from '../scenario/policy-checks.ts';
import { type Loaded, loadAs, readAs } from '../scenario/read.ts';
import { type SessionPolicyConfig, SessionScenario, type SessionScenarioConfig } from './spec.ts';

/** A run holds this many session-seconds at most: some minutes. */
const MOST_SESSION_SECONDS = 1e9;

export type LoadedSessions = Loaded<SessionScenarioConfig>;

export const loadSessions = (path: string): Promise<LoadedSessions> => loadAs(path, readSessions);

/** `file` is how problems name it. */
export const readSessions = (file: string, text: string): LoadedSessions =>
  readAs(SessionScenario, contradictions, file, text);

/** How the table calls a policy. */
export const sessionPolicyTitle = ({ policy, as }: SessionPolicyConfig): string => as ?? policy;

/** What no single value can tell. */
function contradictions({
  backends,
  policies,
  baseline,
  goals,
  sessions,
  warmup,
  measure,
}: SessionScenarioConfig): Finding[] {
  const found = policyFindings(policies.map(sessionPolicyTitle), baseline, goals);
  policies.forEach(({ over, under }, i) => {
    if (under >= over)
      found.push(
        error(['policies', i, 'under'], { what: `not below over (${over})`, expected: 'less than over' }),
      );
  });
  if (!backends.some(({ joins }) => joins === 0))
    found.push(
      error(['backends'], {
        what: 'no backend is there from the start',
        expected: 'a group without joins',
      }),
    );
  const sessionSeconds = (sessions.open * (warmup + measure)) / 1000;
  if (sessionSeconds > MOST_SESSION_SECONDS)
    found.push(
      error(['measure'], {
        what: `${sessionSeconds} session-seconds in a run`,
        expected: `at most ${MOST_SESSION_SECONDS}`,
      }),
    );
  return found;
}
