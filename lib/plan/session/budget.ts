// How much may be moved: a rate for the cluster, and room at each backend for so many at a time.

export interface BudgetSettings {
  /** Moves begun a second, over the cluster. */
  readonly perSecond: number;
  /** Moves under way at a time, to or from one backend. */
  readonly perBackend: number;
}

export class Budget {
  readonly #settings: BudgetSettings;
  readonly #underWay: Int32Array;
  #credit: number;
  #lastMs = Number.NaN;

  constructor(settings: BudgetSettings, slots: number) {
    this.#settings = settings;
    this.#underWay = new Int32Array(slots);
    this.#credit = settings.perSecond;
  }

  /** Called first in each tick: at most one second's worth is saved up. */
  accrue(nowMs: number): void {
    const { perSecond } = this.#settings;
    if (!Number.isNaN(this.#lastMs))
      this.#credit = Math.min(perSecond, this.#credit + (perSecond * (nowMs - this.#lastMs)) / 1000);
    this.#lastMs = nowMs;
  }

  get exhausted(): boolean {
    return this.#credit < 1;
  }

  /** `most`: of a move with a pace of its own, which may need more room than `perBackend`. */
  fits(from: number, to: number, most = 0): boolean {
    const room = Math.max(most, this.#settings.perBackend);
    return this.#underWay[from]! < room && this.#underWay[to]! < room;
  }

  /** One move begun at the cluster's pace; failovers and drains have a pace of their own. */
  pay(): void {
    this.#credit -= 1;
  }

  begin(from: number, to: number): void {
    this.#underWay[from]! += 1;
    this.#underWay[to]! += 1;
  }

  finish(from: number, to: number): void {
    this.#underWay[from]! -= 1;
    this.#underWay[to]! -= 1;
  }
}
