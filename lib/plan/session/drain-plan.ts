// What a drain would do to the others, before it is begun: who receives how much, and whether that is too much. Pure.

export interface DrainPeer {
  readonly id: string;
  /** Foreseen; NaN while nothing is known. */
  readonly load: number;
}

export interface DrainShare {
  readonly id: string;
  readonly load: number | null;
  /** After the drain; null while nothing is known. */
  readonly after: number | null;
  /** Of the sessions that can move. */
  readonly sessions: number;
}

export interface DrainForecast {
  readonly shares: readonly DrainShare[];
  /** Ids of those that would be above the line. */
  readonly overloaded: readonly string[];
}

/**
 * Its load goes where there is least, as the planner and the pickers do: the emptiest are filled to one level. Backends count as equally large.
 * Who is above `line` already counts when anything is added to it.
 */
export function drainForecast(
  load: number,
  sessions: number,
  peers: readonly DrainPeer[],
  line: number,
): DrainForecast {
  const known = peers.filter(peer => peer.load >= 0).sort((a, b) => a.load - b.load);
  const given = load >= 0 && known.length > 0 ? load : 0;
  const level = levelOf(known, given);
  const gains = new Map(known.map(({ id, load }) => [id, Math.max(0, level - load)]));
  const shares = peers.map(({ id, load: before }): DrainShare => {
    const gain = gains.get(id);
    if (gain === undefined) return { id, load: null, after: null, sessions: 0 };
    const part = given > 0 ? gain / given : 1 / known.length;
    return { id, load: before, after: before + gain, sessions: Math.round(sessions * part) };
  });
  const overloaded = known
    .filter(({ id, load: before }) => gains.get(id)! > 0 && before + gains.get(id)! > line)
    .map(({ id }) => id);
  return { shares, overloaded };
}

/** To where `given` fills the emptiest of them, which come first. */
function levelOf(sorted: readonly DrainPeer[], given: number): number {
  let sum = given;
  for (let count = 1; count <= sorted.length; count++) {
    sum += sorted[count - 1]!.load;
    const level = sum / count;
    const next = sorted[count]?.load ?? Number.POSITIVE_INFINITY;
    if (level <= next) return level;
  }
  return Number.NaN;
}
