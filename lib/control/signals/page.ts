// A page in Prometheus's text format, read as it arrives: only the lines that somebody wants are taken apart.
//
//   name 0.5            name{label="value",…} 0.5 1395066363000            # comment

import { StringDecoder } from 'node:string_decoder';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Page = ReadonlyMap<string, readonly Sample[]>;

type Keep = (name: string, labels: Readonly<Record<string, string>>) => boolean;

/** A host of 512 processors has 4,096 lines of CPU time; what is beyond is left out and counted. */
const MOST_SAMPLES = 16_384;
/** A longer line is no sample: it is skipped, not kept. */
const MOST_LINE_CHARS = 16_384;

export class PageReader {
  /** Samples that were no number, and what was beyond the bounds. */
  refused = 0;
  readonly #wanted: (name: string) => boolean;
  readonly #keep: Keep;
  readonly #decoder = new StringDecoder('utf8');
  readonly #page = new Map<string, Sample[]>();
  #samples = 0;
  #rest = '';
  #skipping = false;

  /** `keep` decides by the labels of a wanted line. */
  constructor(wanted: (name: string) => boolean, keep: Keep) {
    this.#wanted = wanted;
    this.#keep = keep;
  }

  push(chunk: Buffer): void {
    const text = this.#rest + this.#decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      if (!this.#skipping) this.#line(text, start, end);
      this.#skipping = false;
      start = end + 1;
    }
    this.#rest = text.slice(start);
    if (this.#rest.length <= MOST_LINE_CHARS) return;
    if (!this.#skipping) this.refused += 1;
    this.#skipping = true;
    this.#rest = '';
  }

  end(): Page {
    const text = this.#rest + this.#decoder.end();
    if (!this.#skipping) this.#line(text, 0, text.length);
    return this.#page;
  }

  #line(text: string, start: number, end: number): void {
    let at = start;
    while (at < end && isNameChar(text.charCodeAt(at))) at += 1;
    if (at === start) return;
    const name = text.slice(start, at);
    if (!this.#wanted(name)) return;
    const line = text.slice(at, end);
    const close = line.startsWith('{') ? closing(line) : 0;
    const labels = close === 0 ? {} : labelsOf(line.slice(1, close - 1));
    if (close < 0 || labels === null) return void this.#refuse();
    if (!this.#keep(name, labels)) return;
    const [word] = /\S+/.exec(line.slice(close)) ?? [''];
    // NaN stands for "no observation" on many pages; a kind of load that is not a number is refused where it is used.
    const value = word === '' ? Number.NaN : Number(word.replace(/^([+-]?)Inf$/, '$1Infinity'));
    if (!Number.isFinite(value) || this.#samples >= MOST_SAMPLES) return void this.#refuse();
    this.#samples += 1;
    const known = this.#page.get(name);
    if (known === undefined) this.#page.set(name, [{ labels, value }]);
    else known.push({ labels, value });
  }

  #refuse(): void {
    this.refused += 1;
  }
}

/** [A-Za-z0-9_:] */
const isNameChar = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x5f ||
  (code >= 0x30 && code <= 0x3a);

/** Behind the brace that closes the labels; -1 when none does. Braces within quotes do not count. */
function closing(line: string): number {
  let quoted = false;
  for (let i = 1; i < line.length; i++) {
    const char = line[i]!;
    if (quoted && char === '\\') i += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === '}') return i + 1;
  }
  return -1;
}

const LABEL = /\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;

/** Null for what is no list of labels. */
export function labelsOf(text: string): Readonly<Record<string, string>> | null {
  const labels: Record<string, string> = Object.create(null);
  LABEL.lastIndex = 0;
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    if (text.slice(at).trim() === '') break;
    LABEL.lastIndex = at;
    const found = LABEL.exec(text);
    if (found === null) return null;
    labels[found[1]!] = found[2]!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}
