// From a scenario file to a checked scenario, or to every problem in it, with line and column, as the configuration's are told.

import { error, type Finding, type Path } from '../../config/problem.ts';
import { clusterRatePerMs } from './capacity.ts';
import { policyFindings } from './policy-checks.ts';
import { type Loaded, loadAs, readAs } from './read.ts';
import { type PolicyConfig, Scenario, type ScenarioConfig } from './schema.ts';

export type LoadedScenario = Loaded<ScenarioConfig>;

/** What can be held in memory and run in one sitting. */
const MOST_SERVERS = 5_000;
const MOST_REQUESTS = 20_000_000;

export async function loadScenario(path: string): Promise<LoadedScenario> {
  return loadAs(path, readScenario);
}

/** `file` is how problems name it. */
export const readScenario = (file: string, text: string): LoadedScenario =>
  readAs(Scenario, contradictions, file, text);

/** How the table calls a policy. */
export const policyTitle = (policy: PolicyConfig): string =>
  typeof policy === 'string' ? policy : (policy.as ?? policy.policy);

/** What no single value can tell. */
function contradictions(scenario: ScenarioConfig): Finding[] {
  const { load, rate, servers, work, disturbances, sawtooth, policies, baseline, goals } = scenario;
  const found: Finding[] = [];
  const expect = (holds: boolean, path: Path, what: string, expected: string): void => {
    if (!holds) found.push(error(path, { what, expected }));
  };
  expect(
    (load === undefined) !== (rate === undefined),
    [load === undefined ? 'servers' : 'rate'],
    load === undefined ? 'neither load nor rate is given' : 'load is given already',
    'exactly one of load, rate',
  );
  const groups = servers.map(group => group.name);
  groups.forEach((name, i) => {
    expect(
      groups.indexOf(name) === i,
      ['servers', i, 'name'],
      `there is a group ${name} already`,
      'another name',
    );
  });
  for (const [key, list] of Object.entries({ disturbances, sawtooth }))
    list.forEach((one, i) => {
      const known = one.servers === undefined || groups.includes(one.servers);
      expect(known, [key, i, 'servers'], `no group ${one.servers}`, `one of ${groups.join(', ')}`);
    });
  policies.forEach((policy, i) => {
    const blind = typeof policy !== 'string' && policy.gate !== undefined && scenario.agent === undefined;
    expect(!blind, ['policies', i, 'gate'], 'nobody tells the gate anything', 'agent');
  });
  found.push(...policyFindings(policies.map(policyTitle), baseline, goals));
  const count = servers.reduce((sum, group) => sum + group.count, 0);
  expect(count <= MOST_SERVERS, ['servers'], `${count} servers`, `at most ${MOST_SERVERS}`);
  expect(
    servers.some(group => group.joins === 0),
    ['servers'],
    'no server is there from the start',
    'a group without joins',
  );
  const capacity = clusterRatePerMs(scenario);
  if (load !== undefined)
    expect(
      Number.isFinite(capacity),
      ['load'],
      'work that only sleeps on servers without places has no limit to be a share of',
      'rate, or places',
    );
  const highest = load === undefined ? Math.max(0, ...(rate ?? [])) / 1000 : Math.max(...load) * capacity;
  const requests = highest * (scenario.warmup + scenario.measure);
  if (Number.isFinite(requests))
    expect(
      requests <= MOST_REQUESTS,
      ['measure'],
      `${Math.round(requests)} requests in a run`,
      `at most ${MOST_REQUESTS}`,
    );
  expect(work.mean > 0, ['work', 'mean'], 'work of no length', 'a duration over 0');
  return found;
}
