// The decisions of a move, in a world of their own: every order of events that can happen, and the guarantee after each.

import t from 'tap';
import { below, type Random, seededRandom } from '../../../lib/core/random.ts';
import {
  isHeld,
  LOSSES_WITHIN_MS,
  MAX_LOSSES,
  MAX_TRIES,
  type MoveEffect,
  type MoveEvent,
  type MoveState,
  STEADY,
  step,
} from '../../../lib/data/websocket/migration.ts';

/** One piece of a message. `more`: the message goes on. */
interface Piece {
  readonly message: number;
  readonly more: boolean;
}

interface Backend {
  readonly number: number;
  /** What was written to it. */
  readonly got: Piece[];
  /** What it has said that has not been read. */
  readonly says: (Piece | 'close')[];
  /** Told to finish. */
  told: boolean;
  dead: boolean;
  /** Its Close was read. */
  closed: boolean;
  open: boolean;
  sent: number;
  fragment: boolean;
}

/** Interprets effects as the relay does, with queues instead of sockets. */
class World {
  state: MoveState = STEADY;
  nowMs = 0;
  over = false;
  abandoned = false;
  closedByBackend = false;
  readonly backends: Backend[] = [];
  readonly reports: Extract<MoveEffect, { do: 'report' }>[] = [];
  /** As the client received them: backend and message. */
  readonly received: { backend: number; piece: Piece }[] = [];
  leg: Backend;
  next: Backend | null = null;
  dialling = false;
  timer = false;
  held: Piece[] = [];
  #holding = false;
  #aligning = false;
  #hurrying = false;
  #leaving = false;
  clientFragment = false;
  legFragment = false;
  sent = 0;
  #queue: MoveEvent[] | null = null;

  constructor() {
    this.leg = this.#backend();
  }

  #backend(): Backend {
    const made = {
      ...{ number: this.backends.length, got: [], says: [], told: false, dead: false, closed: false },
      ...{ open: true, sent: 0, fragment: false },
    };
    this.backends.push(made);
    return made;
  }

  tell(event: MoveEvent): void {
    if (this.#queue !== null) return void this.#queue.push(event);
    this.#queue = [event];
    for (let i = 0; i < this.#queue.length; i++) {
      const { state, effects } = step(this.state, this.#queue[i]!, this.nowMs);
      this.state = state;
      for (const effect of effects) this.#do(effect);
    }
    this.#queue = null;
  }

  #do(effect: MoveEffect): void {
    switch (effect.do) {
      case 'dial':
        if (this.dialling || this.next !== null) throw new Error('dials twice');
        this.dialling = true;
        return;
      case 'undial':
        this.dialling = false;
        if (this.next !== null) this.next.open = false;
        this.next = null;
        return;
      case 'align':
        this.#aligning = true;
        if (!this.clientFragment) this.tell({ kind: 'aligned' });
        return;
      case 'unalign':
        this.#aligning = false;
        return;
      case 'hold':
        if (this.clientFragment) throw new Error('holds in the middle of a message');
        this.#aligning = false;
        this.#holding = true;
        return;
      case 'leave':
        this.leg.told = true;
        this.#leaving = true;
        return;
      case 'hurry':
        this.#hurrying = true;
        if (!this.legFragment) this.tell({ kind: 'between' });
        return;
      case 'switch': {
        if (this.next === null) throw new Error('switches to nobody');
        if (this.legFragment) throw new Error('switches in the middle of an answer');
        this.leg.open = false;
        this.leg = this.next;
        this.next = null;
        this.#holding = this.#hurrying = this.#leaving = false;
        const { held } = this;
        this.held = [];
        for (const piece of held) this.#write(piece);
        return;
      }
      case 'abandon':
        this.abandoned = true;
        this.over = true;
        return;
      case 'timer':
        this.timer = true;
        return;
      case 'untimer':
        this.timer = false;
        return;
      case 'report':
        this.reports.push(effect);
    }
  }

  #write(piece: Piece): void {
    this.leg.got.push(piece);
    this.clientFragment = piece.more;
  }

  /** The client says a piece; `more` begins or goes on with a message of several. */
  clientSays(more: boolean): void {
    const last = this.held.at(-1);
    const within = this.#holding && last !== undefined ? last.more : this.clientFragment;
    if (!within) this.sent += 1;
    const piece = { message: this.sent, more };
    if (this.#holding) return void this.held.push(piece);
    this.#write(piece);
    if (this.#aligning && !more) this.tell({ kind: 'aligned' });
  }

  backendSays(backend: Backend, random: Random): void {
    if (backend.dead || backend.closed || !backend.open || backend.says.at(-1) === 'close') return;
    if (backend.told && !backend.fragment && random.next() < 0.5) return void backend.says.push('close');
    if (!backend.fragment) backend.sent += 1;
    backend.fragment = random.next() < 0.4;
    backend.says.push({ message: backend.sent, more: backend.fragment });
  }

  /** The relay reads one piece of the leg in use. */
  read(): void {
    const said = this.leg.says.shift();
    if (said === undefined) {
      if (!this.leg.dead) return;
      if (this.state.phase === 'over') this.over = true;
      else this.tell({ kind: 'lost', between: !this.clientFragment && !this.legFragment, why: 'it died' });
      return;
    }
    if (said === 'close') {
      const swallowed = this.#leaving;
      this.leg.closed = true;
      this.leg.says.length = 0;
      this.tell({ kind: 'closed', between: !this.legFragment });
      if (!swallowed) this.closedByBackend = this.over = true;
      return;
    }
    // Cut: what it says from here on is dropped.
    if (this.#hurrying && !this.legFragment) return;
    this.received.push({ backend: this.leg.number, piece: said });
    this.legFragment = said.more;
    if (this.#hurrying && !said.more) this.tell({ kind: 'between' });
  }

  answerDial(): void {
    this.dialling = false;
    this.next = this.#backend();
    this.tell({ kind: 'opened' });
  }

  #messages(pieces: readonly Piece[]): number[] {
    return pieces.filter(({ more }) => !more).map(({ message }) => message);
  }

  /** The guarantee, to the letter. */
  check(): void {
    const written = this.backends.flatMap(({ got }) => this.#messages(got));
    const inOrder = written.every((message, i) => i === 0 || message === written[i - 1]! + 1);
    if (!inOrder) throw new Error(`messages written as ${written}`);
    for (const { got } of this.backends)
      for (const [i, { message }] of got.entries())
        if (i > 0 && got[i - 1]!.more && got[i - 1]!.message !== message)
          throw new Error('a message in another');
    if (!this.over) {
      const whole = [...written, ...this.#messages(this.held)];
      const due = this.clientFragment || this.held.at(-1)?.more ? this.sent - 1 : this.sent;
      if (whole.length !== due) throw new Error(`${whole.length} of ${due} messages are somewhere`);
    }
    for (const [i, { backend, piece }] of this.received.entries()) {
      const before = this.received[i - 1];
      if (before === undefined) continue;
      if (backend < before.backend) throw new Error('an answer of the backend before comes later');
      if (backend !== before.backend && before.piece.more) throw new Error('an answer was cut in the middle');
      if (backend === before.backend && piece.message < before.piece.message)
        throw new Error('answers reordered');
    }
  }
}

const SEED = Number(process.env.SEED ?? (Math.random() * 2 ** 32) >>> 0);

t.test('every order of events keeps the guarantee', t => {
  t.comment(`SEED=${SEED}`);
  const seen = new Set<string>();
  let [clean, unclean] = [0, 0];
  for (let run = 0; run < 20_000; run++) {
    const random = seededRandom(SEED + run);
    const world = new World();
    const steps = 20 + below(random, 60);
    // Some worlds are calm, in some everything dies.
    const harm = random.next() * 0.15;
    try {
      for (let i = 0; i < steps && !world.over; i++) {
        seen.add(world.state.phase);
        world.nowMs += below(random, 3000);
        if (random.next() < harm) hurt(world, random);
        else live(world, random);
        world.check();
      }
    } catch (error) {
      t.fail(`seed ${SEED} run ${run}: ${(error as Error).message}`);
      break;
    }
    seen.add(world.state.phase);
    for (const { result } of world.reports) {
      if (result === 'moved') clean += 1;
      if (result === 'unclean') unclean += 1;
    }
  }
  t.same([...seen].sort(), ['aligning', 'dialling', 'draining', 'over', 'redialling', 'steady']);
  t.ok(clean > 1000 && unclean > 1000, `${clean} clean and ${unclean} unclean moves`);
  t.end();
});

function live(world: World, random: Random): void {
  switch (below(random, 7)) {
    case 0:
    case 1:
      return world.clientSays(random.next() < 0.3);
    case 2:
      return world.backendSays(world.backends[below(random, world.backends.length)]!, random);
    case 3:
    case 4:
      return world.read();
    case 5:
      if (world.dialling) world.answerDial();
      return;
    default:
      if (world.state.phase === 'steady' && world.leg.says.at(-1) !== 'close')
        world.tell({ kind: 'move', mode: random.next() < 0.5 ? 'overlap' : 'strict', why: 'a test' });
  }
}

function hurt(world: World, random: Random): void {
  switch (below(random, 6)) {
    case 0:
      world.leg.dead = true;
      return;
    case 1:
      if (world.next === null) return;
      world.next.open = false;
      world.next = null;
      return world.tell({ kind: 'spoilt', why: 'it died' });
    case 2:
      if (!world.dialling) return;
      world.dialling = false;
      return world.tell({ kind: 'refused', why: 'no' });
    case 3:
      if (!world.timer) return;
      world.timer = false;
      return world.tell({ kind: 'late' });
    case 4:
      if (!world.leg.closed && world.leg.says.at(-1) !== 'close') world.leg.says.push('close');
      return;
    default:
      if (random.next() < 0.2) {
        world.tell({ kind: 'fixed', why: 'the client closes' });
        world.over = true;
      }
  }
}

/** The names of the effects of these events, one after the other. */
function play(...events: MoveEvent[]): { state: MoveState; effects: string[] } {
  let state = STEADY;
  const effects: string[] = [];
  for (const event of events) {
    const stepped = step(state, event, 100 * effects.length);
    state = stepped.state;
    effects.push(...stepped.effects.map(one => (one.do === 'report' ? one.result : one.do)));
  }
  return { state, effects };
}

const move = { kind: 'move', mode: 'overlap', why: '' } as const;
const strict = { kind: 'move', mode: 'strict', why: '' } as const;
const opened = { kind: 'opened' } as const;
const aligned = { kind: 'aligned' } as const;
const closed = { kind: 'closed', between: true } as const;
const late = { kind: 'late' } as const;
const refused = { kind: 'refused', why: 'no' } as const;
const lost = (between: boolean): MoveEvent => ({ kind: 'lost', between, why: 'dead' });

t.test('overlap dials first, strict leaves first', async t => {
  t.same(play(move, opened, aligned, closed).effects, [
    ...['timer', 'dial', 'timer', 'align', 'hold', 'timer', 'leave'],
    ...['untimer', 'switch', 'moved'],
  ]);
  t.same(play(strict, aligned, closed, opened).effects, [
    ...['timer', 'align', 'hold', 'timer', 'leave', 'timer', 'dial'],
    ...['untimer', 'switch', 'moved'],
  ]);
});

t.test('until the new leg is there, and the client is held, a failure leaves all as it was', async t => {
  for (const events of [
    [move, refused],
    [move, late],
    [move, opened, late],
    [strict, late],
  ]) {
    const { state, effects } = play(...events);
    t.equal(state, STEADY);
    t.equal(effects.at(-1), 'failed');
    t.notOk(effects.includes('hold') || effects.includes('leave') || effects.includes('abandon'));
  }
  t.ok(play(move, opened, late).effects.includes('undial'), 'a leg that stands already is given up');
});

t.test('a backend that does not close is cut between two messages, or the connection ends', async t => {
  const begun = [move, opened, aligned, late] as const;
  t.same(play(...begun, { kind: 'between' }).effects.slice(-4), ['hurry', 'untimer', 'switch', 'unclean']);
  t.same(play(...begun, late).effects.slice(-4), ['undial', 'untimer', 'abandon', 'failed']);
});

t.test('a backend that dies is replaced, unless a message was under way', async t => {
  const { state, effects } = play(lost(true), opened);
  t.same(effects, ['hold', 'timer', 'dial', 'untimer', 'switch', 'unclean']);
  t.equal(state.phase, 'steady');
  t.same(play(lost(false)).effects, ['untimer', 'abandon', 'failed']);
  t.same(play(move, lost(true), opened).effects.slice(-5), ['hold', 'timer', 'untimer', 'switch', 'unclean']);
});

t.test(`a held client is offered ${MAX_TRIES} backends`, async t => {
  const { state, effects } = play(lost(true), ...Array.from({ length: MAX_TRIES }, () => refused));
  t.equal(effects.filter(effect => effect === 'dial').length, MAX_TRIES);
  t.equal(effects.at(-1), 'failed');
  t.equal(state.phase, 'over');
  t.notOk(isHeld(state));
});

t.test('a connection whose backends keep dying ends, lest it be what kills them', async t => {
  let state = STEADY;
  let nowMs = 1e6;
  const die = (): readonly MoveEffect[] => {
    const dead = step(state, lost(true), nowMs);
    state = step(dead.state, opened, nowMs).state;
    return dead.effects;
  };
  for (let i = 0; i < MAX_LOSSES; i++) t.equal(die()[0]!.do, 'hold');
  const before = state;
  t.ok(die().some(effect => effect.do === 'abandon'));
  state = before;
  nowMs += LOSSES_WITHIN_MS + 1;
  t.equal(die()[0]!.do, 'hold', 'long ago is forgotten');
});
