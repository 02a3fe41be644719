// One cluster as a worker holds it: members, the picker of the hour, the waiting line, the retry budget.

import type { ClusterConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { ClusterEntry } from '../../orders/snapshot.ts';
import type { Candidate, ExplainingPicker, Explanation, PickRequest } from '../../plan/balance/picker.ts';
import { pickerFactory } from '../../plan/balance/pickers.ts';
import { learns } from '../../plan/balance/strategies.ts';
import { type LeaseCarrier, leaseCarrier } from '../../plan/lease/carrier.ts';
import type { LeaseTerms } from '../../plan/lease/lease.ts';
import { shedTarget } from '../../plan/lease/shed.ts';
import { oneOfLeastLoaded } from '../../plan/overload/least-loaded.ts';
import { type LineOptions, WaitingLine } from '../../plan/overload/line.ts';
import { BackendState, type DecisionReader, type WorkerLedger } from '../../scoreboard/ports.ts';
import type { Descriptors } from '../descriptors.ts';
import { Gate } from './gate.ts';
import { Handshakes } from './handshakes.ts';
import { Learning } from './learning.ts';
import { limiterFor } from './limiter.ts';
import { Member } from './member.ts';
import { OrcaIntake } from './orca-intake.ts';
import { Probes } from './probes.ts';
import { RetryBudget } from './retry-budget.ts';

export interface ClusterTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly decisions: DecisionReader;
  readonly ledger: Pick<WorkerLedger, 'reported'>;
  /** Data-plane threads: each has its share of the waiting line. */
  readonly workers: number;
  readonly descriptors?: Descriptors | undefined;
  /** Who speaks HTTP/1.1 to backends. */
  readonly http1?: 'native' | 'node';
}

export class Cluster {
  readonly name: string;
  readonly line: WaitingLine;
  readonly retries: RetryBudget;
  /** Of WebSockets that come from another backend. */
  readonly handshakes: Handshakes;
  readonly #tools: ClusterTools;
  #config: ClusterConfig;
  #carrier: LeaseCarrier | null = null;
  #terms: LeaseTerms | null = null;
  #orca: OrcaIntake | null = null;
  #byId = new Map<string, Member>();
  #bySlot = new Map<number, Member>();
  readonly #gate: Gate;
  #picker: ExplainingPicker | null = null;
  #pickerOf = -1;
  /** Slots and weights the picker was built from, so that an unchanged decision builds nothing. */
  #candidates: readonly Candidate[] = [];
  /** The gate lets some candidates through and others not. */
  #divided = false;
  /** Of a policy that learns; null for the others. */
  #learning: Learning | null = null;
  /** Of a policy that learns, with `balance.probe`; null for the others. */
  #probes: Probes | null = null;

  constructor(entry: ClusterEntry, tools: ClusterTools) {
    this.name = entry.name;
    this.#tools = tools;
    this.#config = entry.config;
    this.line = new WaitingLine(lineOptions(entry.config, tools.workers));
    this.retries = new RetryBudget(tools.clock);
    this.handshakes = new Handshakes(tools.clock);
    this.#gate = new Gate(tools.decisions);
    this.update(entry);
  }

  get config(): ClusterConfig {
    return this.#config;
  }

  /** How its leases travel; null without stickiness. */
  get carrier(): LeaseCarrier | null {
    return this.#carrier;
  }

  /** Null without stickiness. */
  get terms(): LeaseTerms | null {
    return this.#terms;
  }

  /** Null where backends do not report their load with answers. */
  get orca(): OrcaIntake | null {
    return this.#orca;
  }

  /** Its policy places by the key of a request. */
  get keyed(): boolean {
    const { policy } = this.#config.balance;
    return policy === 'consistent_hash' || policy === 'maglev';
  }

  get members(): Iterable<Member> {
    return this.#byId.values();
  }

  member(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  memberAt(slot: number): Member | undefined {
    return this.#bySlot.get(slot);
  }

  /** Takes a newer snapshot's word: members that did not change keep their connections. */
  update(entry: ClusterEntry): void {
    const before = this.#byId;
    const { workers } = this.#tools;
    this.#config = entry.config;
    const { sticky } = entry.config;
    this.#carrier = sticky === undefined ? null : leaseCarrier(sticky, entry.name);
    this.#terms =
      sticky === undefined ? null : { type: sticky.type, termMs: sticky.term, rememberMs: sticky.remember };
    const orca = entry.config.signals.find(source => source.orca !== undefined)?.orca;
    this.#orca = orca === undefined ? null : new OrcaIntake(orca, this.#tools.ledger);
    this.line.configure(lineOptions(entry.config, workers));
    // Every worker sees its own share of the requests; the floor is shared out.
    this.retries.configure(entry.config.retry.budget, entry.config.retry.min_per_second / workers);
    this.#byId = new Map();
    this.#bySlot = new Map();
    const limiter = limiterFor(entry.config.limits.concurrency);
    for (const backend of entry.backends) {
      const fresh = new Member(entry, backend, this.#tools);
      const known = before.get(backend.id);
      const same =
        known !== undefined &&
        known.key === fresh.key &&
        known.slot === fresh.slot &&
        known.slotGeneration === fresh.slotGeneration;
      const member = same ? known : fresh;
      if (same) known.update(backend);
      member.orca = this.#orca;
      member.limiter = limiter;
      this.#byId.set(backend.id, member);
      this.#bySlot.set(backend.slot, member);
    }
    for (const member of before.values()) if (this.#byId.get(member.id) !== member) member.close();
    this.#picker = null;
    this.#seat();
  }

  /** The member chosen for new work, or null when none may take it. */
  pick(request: PickRequest): Member | null {
    const picker = this.#currentPicker();
    const divided = this.#divided && this.#gate.holds;
    let slot = divided ? this.#gate.pick(picker, request) : picker.pick(request);
    // Rather a backend that will be busy than a failure or a wait now, unless the configuration says otherwise.
    if (slot < 0 && divided && this.#gatedServe) slot = this.#leastLoadedGated(request);
    return slot < 0 ? null : (this.#bySlot.get(slot) ?? null);
  }

  /** Asks backends how they are, as the policy wants it with each request. */
  probe(): void {
    this.#probes?.send();
  }

  /** Why a request like this would go where it would; the gate is a veto. Changes nothing. */
  explain(request: PickRequest): Explanation {
    const picker = this.#currentPicker();
    const divided = this.#divided && this.#gate.holds;
    return divided ? this.#gate.explain(picker, request) : picker.explain(request);
  }

  /** 0 open, 1 last resort, 2 shut; while what is foreseen counts. */
  gateOf(slot: number): number {
    return this.#gate.holds ? this.#tools.decisions.gate(slot) : 0;
  }

  /** Outside the pool, while what is foreseen counts. */
  isOutside(slot: number): boolean {
    return this.#gate.holds && this.#tools.decisions.outside(slot);
  }

  /** Offers every backend that takes new work until one is taken, beginning anywhere so that none is always the first. */
  findPlace(take: (member: Member) => boolean): boolean {
    const { length } = this.#candidates;
    const first = Math.floor(this.#tools.random.next() * length);
    let order = this.#candidates.map((_, i) => this.#candidates[(first + i) % length]!.slot);
    if (this.#divided && this.#gatedServe)
      order.sort((a, b) => this.#gate.levelOf(a) - this.#gate.levelOf(b));
    else if (this.#divided) order = order.filter(slot => this.#gate.allows(slot));
    return order.some(slot => {
      const member = this.#bySlot.get(slot);
      return member !== undefined && take(member);
    });
  }

  /** True when some backend takes new work, be it full at the moment. */
  get hasCandidates(): boolean {
    this.#currentPicker();
    return this.#candidates.length > 0;
  }

  /** A lapsed lease may be granted on it again: it has a weight, and nobody better takes new work. */
  takesNew({ slot }: Member): boolean {
    if (this.#tools.decisions.milliWeight(slot) <= 0) return false;
    this.#currentPicker();
    return !this.#divided || this.#gate.allows(slot);
  }

  /** Of 65,536, the part of its dynamic leases that leaves it; nothing leaves by the word of a control plane that is gone. */
  shedFractionOf({ slot }: Member): number {
    const fraction = this.#tools.decisions.shedFraction(slot);
    return fraction > 0 && this.#gate.holds ? fraction : 0;
  }

  /** Where a lease goes that `from` sheds; null when nobody else takes it. */
  shedTargetOf(id: string, turn: number, from: Member): Member | null {
    const { decisions } = this.#tools;
    this.#currentPicker();
    const targets: { readonly seed: number; readonly weight: number; readonly member: Member }[] = [];
    for (const { slot, weight } of this.#candidates) {
      const member = this.#bySlot.get(slot)!;
      // Who sheds itself takes nobody in, nor who is foreseen to be full.
      if (member === from || decisions.shedFraction(slot) > 0 || this.#gate.levelOf(slot) > 0) continue;
      targets.push({ seed: member.seed, weight, member });
    }
    return shedTarget(id, turn, targets)?.member ?? null;
  }

  /** BackendState of a member by the decision in force; a decision about an earlier owner of the slot counts as none. */
  stateOf(member: Member): number {
    const { decisions } = this.#tools;
    return decisions.slotGeneration(member.slot) === member.slotGeneration
      ? decisions.state(member.slot)
      : BackendState.none;
  }

  /** The backend that a client of `from` is to be moved to, or why it cannot be. */
  moveTarget(to: string, from: Member): Member | string {
    const member = this.#byId.get(to);
    if (member === undefined) return `cluster ${this.name} has no backend ${to}`;
    if (member.slot === from.slot) return `it is at ${to} already`;
    return this.stateOf(member) === BackendState.up ? member : `backend ${to} takes nothing new`;
  }

  close(): void {
    for (const member of this.#byId.values()) member.close();
  }

  get #gatedServe(): boolean {
    return this.#config.overload.on_none === 'least_loaded';
  }

  /** No open backend has room: one of the gated ones with the least load, by what is foreseen where it is. */
  #leastLoadedGated(request: PickRequest): number {
    const { decisions, random } = this.#tools;
    const able = this.#candidates.filter(({ slot }) => request.accepts(slot));
    const level = able.reduce((least, { slot }) => Math.min(least, decisions.gate(slot)), Infinity);
    const loadOf = ({ slot, weight }: Candidate): number => {
      const foreseen = decisions.predicted(slot);
      return Number.isNaN(foreseen) ? decisions.inFlight(slot) / weight : foreseen;
    };
    const among = able.filter(({ slot }) => decisions.gate(slot) === level);
    return oneOfLeastLoaded(among, loadOf, random)?.slot ?? -1;
  }

  #currentPicker(): ExplainingPicker {
    const { decisions } = this.#tools;
    decisions.refresh();
    if (this.#picker !== null && this.#pickerOf === decisions.generation) return this.#picker;
    this.#pickerOf = decisions.generation;
    const candidates = this.#eligible();
    this.#divided = this.#gate.divides(candidates.map(({ slot }) => slot));
    if (this.#picker !== null && sameCandidates(candidates, this.#candidates)) return this.#picker;
    this.#candidates = candidates;
    this.#picker = this.#build(candidates);
    return this.#picker;
  }

  #build(candidates: readonly Candidate[]): ExplainingPicker {
    const { decisions, random } = this.#tools;
    const { balance } = this.#config;
    const { policy } = balance;
    if (!learns(policy)) return pickerFactory({ ...balance, policy })(candidates, decisions, random);
    this.#learning!.choose(candidates);
    return this.#learning!;
  }

  /** Gives the backends their seats in what was learnt, which lasts as long as the policy and its options. */
  #seat(): void {
    const { balance } = this.#config;
    const { policy } = balance;
    const members = [...this.#byId.values()];
    if (!learns(policy)) {
      this.#learning = null;
      this.#probes = null;
      for (const member of members) member.seat = null;
      return;
    }
    const options = { ...balance, policy };
    let seats = this.#learning?.fits(options) ? this.#learning.seat(members) : null;
    if (seats === null) {
      this.#learning = new Learning(options, members.length, this.#tools);
      seats = this.#learning.seat(members)!;
    }
    for (const member of members) member.seat = seats.get(member.slot)!;
    const memberAt = (slot: number): Member | undefined => this.#bySlot.get(slot);
    this.#probes =
      balance.probe === undefined
        ? null
        : new Probes(this.name, balance.probe, this.#learning!, memberAt, this.#tools);
  }

  #eligible(): Candidate[] {
    const { decisions } = this.#tools;
    const candidates: Candidate[] = [];
    for (const member of this.#byId.values()) {
      if (this.stateOf(member) !== BackendState.up) continue;
      const weight = decisions.milliWeight(member.slot) / 1000;
      if (weight > 0) candidates.push({ slot: member.slot, id: member.id, weight });
    }
    return candidates;
  }
}

const lineOptions = ({ limits, overload }: ClusterConfig, workers: number): LineOptions => ({
  capacity: Math.ceil(limits.queue / workers),
  order: overload.order,
  targetMs: overload.target,
  intervalMs: overload.interval,
});

const sameCandidates = (a: readonly Candidate[], b: readonly Candidate[]): boolean =>
  a.length === b.length && a.every((one, i) => one.slot === b[i]!.slot && one.weight === b[i]!.weight);
