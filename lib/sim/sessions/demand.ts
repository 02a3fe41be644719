// What the sessions ask for, second by second: the same whatever becomes of them, so that policies meet the same world.

import type { Random } from '../../core/random.ts';
import { exponential, logNormal, normal, streamOf } from '../chance.ts';
import type { SessionScenarioConfig } from './spec.ts';

const STEP_S = 1;
/** A session's own noise is drawn anew once in so many steps: a fifth of the cost, and its memory is far longer. */
const NOISE_STEPS = 5;

export interface Visitor {
  readonly base: number;
  readonly room: number;
  readonly endsS: number;
  noise: number;
  hotUntilS: number;
  demand: number;
  /** Its row in a planner's table; -1 none. */
  row: number;
  backend: number;
  /** Under way to this backend; -1 none. */
  target: number;
  arrivesS: number;
}

export class Demand {
  readonly open: Visitor[] = [];
  readonly #spec: SessionScenarioConfig['sessions'];
  readonly #arrivals: Random;
  readonly #births: Random;
  readonly #noise: Random;
  readonly #rooms: Float64Array;
  readonly #roomFactor: Float64Array;
  readonly #roomRandom: Random;
  readonly #perStep: number;
  #nextArrivalS: number;

  constructor(spec: SessionScenarioConfig['sessions'], seed: number) {
    this.#spec = spec;
    this.#arrivals = streamOf(seed, 'arrivals');
    this.#births = streamOf(seed, 'births');
    this.#noise = streamOf(seed, 'noise');
    this.#roomRandom = streamOf(seed, 'rooms');
    const rooms = spec.rooms === undefined ? 0 : Math.ceil(spec.open / spec.rooms.size);
    // When a room's next busy time begins.
    this.#rooms = Float64Array.from(
      { length: rooms },
      () => exponential(this.#roomRandom) * (spec.rooms!.every / 1000),
    );
    this.#roomFactor = new Float64Array(rooms).fill(1);
    this.#perStep = (spec.open / (spec.life.mean / 1000)) * STEP_S;
    this.#nextArrivalS = exponential(this.#arrivals) / this.#perStep;
    // The world begins in the middle: who is there has lived a part of its life.
    for (let i = 0; i < spec.open; i++) {
      const visitor = this.#born(0);
      // Lengths that are met are biased by length: log-normal again, e^σ² times as long.
      const endsS = this.#births.next() * visitor.endsS * Math.exp(spec.life.deviation ** 2);
      this.open.push({ ...visitor, endsS });
    }
  }

  /** Mean demand of all sessions, by the spec. */
  get mean(): number {
    const { open, hot, rooms } = this.#spec;
    const heat = 1 + hot.share * (hot.factor - 1);
    const busy =
      rooms === undefined
        ? 1
        : 1 + ((rooms.for + rooms.ramp) / (rooms.every + rooms.for + 2 * rooms.ramp)) * (rooms.factor - 1);
    return open * heat * busy;
  }

  /** Moves all demands on to second `atS`; answers who came. Who has left is in `ended`. */
  step(atS: number, ended: (visitor: Visitor) => void): Visitor[] {
    this.#moveRooms(atS);
    const { hot, demand } = this.#spec;
    const fade = Math.exp((-NOISE_STEPS * STEP_S * 1000) / demand.memory);
    const spread = demand.within * Math.sqrt(1 - fade * fade);
    const heating = (hot.share * STEP_S * NOISE_STEPS * 1000) / Math.max(1, hot.for);
    let kept = 0;
    for (let i = 0; i < this.open.length; i++) {
      const visitor = this.open[i]!;
      if (visitor.endsS <= atS) {
        ended(visitor);
        continue;
      }
      if ((i + atS) % NOISE_STEPS === 0) {
        visitor.noise = visitor.noise * fade + spread * normal(this.#noise);
        if (this.#noise.next() < heating)
          visitor.hotUntilS = atS + (exponential(this.#noise) * hot.for) / 1000;
      }
      visitor.demand = this.#demandOf(visitor, atS);
      this.open[kept++] = visitor;
    }
    this.open.length = kept;
    return this.#arrive(atS);
  }

  #demandOf(visitor: Visitor, atS: number): number {
    const { hot, demand } = this.#spec;
    const own = visitor.base * Math.exp(visitor.noise - (demand.within * demand.within) / 2);
    const heat = visitor.hotUntilS > atS ? hot.factor : 1;
    return Math.min(demand.most, own * heat * (this.#roomFactor[visitor.room] ?? 1));
  }

  #arrive(atS: number): Visitor[] {
    const came: Visitor[] = [];
    const { crowd } = this.#spec;
    const crowded =
      crowd !== undefined && atS * 1000 >= crowd.at && atS * 1000 < crowd.at + crowd.for ? crowd.factor : 1;
    while (this.#nextArrivalS < atS + STEP_S) {
      const visitor = this.#born(atS);
      visitor.demand = this.#demandOf(visitor, atS);
      came.push(visitor);
      this.open.push(visitor);
      this.#nextArrivalS += exponential(this.#arrivals) / (this.#perStep * crowded);
    }
    return came;
  }

  #born(atS: number): Visitor {
    const { life, demand } = this.#spec;
    const random = this.#births;
    const room = this.#rooms.length === 0 ? 0 : Math.floor(random.next() * this.#rooms.length);
    return {
      base: logNormal(random, demand.deviation),
      room,
      endsS: atS + (life.mean / 1000) * logNormal(random, life.deviation),
      noise: demand.within * normal(random),
      hotUntilS: 0,
      demand: 0,
      row: -1,
      backend: -1,
      target: -1,
      arrivesS: 0,
    };
  }

  /** Up over `ramp`, there for `for`, down over `ramp`. */
  #moveRooms(atS: number): void {
    const { rooms } = this.#spec;
    if (rooms === undefined) return;
    const [ramp, stay, every] = [rooms.ramp / 1000, rooms.for / 1000, rooms.every / 1000];
    for (let room = 0; room < this.#rooms.length; room++) {
      const since = atS - this.#rooms[room]!;
      if (since < 0) continue;
      const part =
        since < ramp ? since / ramp : since < ramp + stay ? 1 : Math.max(0, 1 - (since - ramp - stay) / ramp);
      this.#roomFactor[room] = 1 + part * (rooms.factor - 1);
      if (since < 2 * ramp + stay) continue;
      this.#roomFactor[room] = 1;
      this.#rooms[room] = atS + exponential(this.#roomRandom) * every;
    }
  }
}
