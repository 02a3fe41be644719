// The answer of an agent as HAProxy defines it (configuration manual, "agent-check"): one line of words, and what they ask for.
//
//   75%               share of its weight               ready · drain · maint    may new work come, may any
//   maxconn:30        requests at once                  up · down · fail · stopped [#why]    does it serve
//
// Words that are not there change nothing: what was said before stands. Separated by spaces, tabs and commas; case is ignored.

/** What the agent has asked for so far. */
export interface AgentSay {
  /** 0..1 of the weight. */
  readonly share: number;
  readonly admin: 'ready' | 'drain' | 'maint';
  readonly down: boolean;
  /** Why it is down, as it said; may be empty. */
  readonly why: string;
  /** Requests at once; 0 for no limit of its own. */
  readonly maxConnections: number;
}

export const NO_SAY: AgentSay = Object.freeze({
  share: 1,
  admin: 'ready',
  down: false,
  why: '',
  maxConnections: 0,
});

export interface AgentLine {
  readonly say: AgentSay;
  /** 0..1; null when there was none in the line. */
  readonly percent: number | null;
  /** Null when there was none in the line. */
  readonly maxConnections: number | null;
  /** Words that mean nothing. */
  readonly refused: number;
}

/** Longer lines are cut there. */
export const MOST_LINE_BYTES = 1_024;
const MOST_CONNECTIONS = 1_000_000;
const MOST_WHY = 200;

/** `before` is what stood until now. */
export function readAgentLine(line: string, before: AgentSay): AgentLine {
  const [words, why] = split(line);
  let say = before;
  let percent: number | null = null;
  let maxConnections: number | null = null;
  let refused = 0;
  for (const word of words) {
    const share = percentOf(word);
    const most = limitOf(word);
    if (share !== null) percent = share;
    else if (most !== null) maxConnections = most;
    else if (word === 'ready' || word === 'drain' || word === 'maint') say = { ...say, admin: word };
    else if (word === 'up') say = { ...say, down: false, why: '' };
    else if (word === 'down' || word === 'fail' || word === 'stopped')
      say = { ...say, down: true, why: why === '' ? word : why };
    else refused += 1;
  }
  if (maxConnections !== null) say = { ...say, maxConnections };
  return { say, percent, maxConnections, refused };
}

/** The words, and what follows the first "#", which is for people. */
function split(line: string): readonly [string[], string] {
  const end = /[\r\n\0]/.exec(line)?.index ?? line.length;
  const text = line.slice(0, end);
  const hash = text.indexOf('#');
  const words = (hash < 0 ? text : text.slice(0, hash)).toLowerCase().split(/[ \t,]+/);
  const why = hash < 0 ? '' : text.slice(hash + 1, hash + 1 + MOST_WHY).trim();
  return [words.filter(word => word !== ''), why];
}

/** More than all of its weight is no agent's to ask for. */
function percentOf(word: string): number | null {
  const [, digits] = /^(\d{1,3})%$/.exec(word) ?? [];
  const value = digits === undefined ? 101 : Number(digits);
  return value <= 100 ? value / 100 : null;
}

function limitOf(word: string): number | null {
  const [, digits] = /^maxconn:(\d{1,7})$/.exec(word) ?? [];
  const value = digits === undefined ? MOST_CONNECTIONS + 1 : Number(digits);
  return value <= MOST_CONNECTIONS ? value : null;
}
