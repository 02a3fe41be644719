// Why a request would go where it would, with every number that counted. For people: cold, allocates freely.

import type { Explained, ExplainedBackend } from '../../orders/explained.ts';
import type { PickRequest } from '../../plan/balance/picker.ts';
import { BackendState, type DecisionReader } from '../../scoreboard/ports.ts';
import type { Cluster } from './cluster.ts';

const STATES: Readonly<Record<number, ExplainedBackend['state']>> = {
  [BackendState.none]: 'none',
  [BackendState.up]: 'up',
  [BackendState.draining]: 'draining',
  [BackendState.down]: 'down',
  [BackendState.maintenance]: 'maintenance',
};
const GATES = ['open', 'last resort', 'shut'] as const;

const known = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** As the worker sees it now. */
export function explainCluster(
  cluster: Cluster,
  request: PickRequest,
  decisions: DecisionReader,
  worker: number,
): Explained {
  const { rule, choice, standings } = cluster.explain(request);
  const backends = Array.from(cluster.members, (member): ExplainedBackend => {
    const { slot, id } = member;
    const standing = standings.find(({ candidate }) => candidate.slot === slot);
    const remarks = [
      standing?.remark ?? '',
      standing !== undefined && !request.accepts(slot) ? 'may not be asked again' : '',
      standing !== undefined && cluster.isOutside(slot) ? 'outside the pool' : '',
    ];
    return {
      id,
      state: STATES[cluster.stateOf(member)]!,
      candidate: standing !== undefined,
      inFlight: decisions.inFlight(slot),
      concurrency: decisions.concurrency(slot),
      weight: member.entry.weight,
      effectiveWeight: decisions.milliWeight(slot) / 1000,
      latencyMs: known(decisions.latencyMs(slot) || Number.NaN),
      predicted: known(decisions.predicted(slot)),
      gate: GATES[cluster.gateOf(slot)]!,
      score: known(standing?.score ?? Number.NaN),
      figures: Object.fromEntries(
        Object.entries(standing?.figures ?? {}).map(([name, value]) => [name, known(value)]),
      ),
      remark: remarks.filter(remark => remark !== '').join(', '),
    };
  });
  return {
    cluster: cluster.name,
    worker,
    policy: cluster.config.balance.policy,
    rule: standings.length === 0 ? 'no backend takes new work' : rule,
    choice: choice < 0 ? null : (cluster.memberAt(choice)?.id ?? null),
    controlAgeMs: known(decisions.ageMs()),
    backends,
  };
}

const short = (value: number | boolean | string | null): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);

/** In a field of an answer: `chosen; rule="…"; id score=… …; …`. Ids and names are tokens, so nothing has to be quoted but the rule. */
export function explanationField({ policy, rule, worker, backends }: Explained, chosen: string): string {
  const each = backends.map(backend => {
    const { id, state, gate, score, figures, inFlight, effectiveWeight, predicted, remark } = backend;
    const said = {
      ...(state !== 'up' && { state }),
      ...(score !== null && { score }),
      in_flight: inFlight,
      weight: effectiveWeight,
      ...(predicted !== null && { predicted }),
      ...(gate !== 'open' && { gate: gate.replace(' ', '-') }),
      ...figures,
      ...(remark !== '' && { remark: JSON.stringify(remark) }),
    };
    return [id, ...Object.entries(said).map(([name, value]) => `${name}=${short(value)}`)].join(' ');
  });
  const field = [chosen, `policy=${policy}`, `worker=${worker}`, `rule=${JSON.stringify(rule)}`, ...each];
  return field
    .join('; ')
    .replaceAll(/[^\t\x20-\x7e]/g, '?')
    .slice(0, MOST_CHARS);
}

/** Clients and proxies refuse heads that are too long. */
const MOST_CHARS = 4_096;
