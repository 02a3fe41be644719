// One YAML file: parsed, its variables filled in, and able to say where each of its values stands.

import { type Document, LineCounter, parseDocument, Scalar, visit } from 'yaml';
import { error, type Finding, type Path } from './problem.ts';
import { type Environment, retype, substitute } from './substitute.ts';
import { syntaxFinding } from './syntax.ts';
import { aliasAt, MAX_DEPTH, offsetOf, pathAt, tooDeep } from './yaml-position.ts';

/** A file larger than this is no configuration. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** Aliases resolved in one file; keeps a few lines from growing into gigabytes. */
const MAX_ALIASES = 100;

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A finding whose place is known already, because the value it speaks of never came to be. */
export interface Placed {
  readonly finding: Finding;
  readonly at: Position;
}

export interface Source {
  /** As shown to the operator. */
  readonly file: string;
  readonly value: unknown;
  /** Syntax errors and variables. With syntax errors `value` is undefined: what follows from them is noise. */
  readonly placed: readonly Placed[];
  /** Of the value at `path`, or of the nearest above it that is written; with `atKey` of its key. */
  locate(path: Path, atKey?: boolean): Position;
}

export function parseSource(file: string, text: string, env: Environment): Source {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const failed = (finding: Finding, offset: number): Source => {
    const at = position(offset);
    return { file, value: undefined, placed: [{ finding, at }], locate: () => at };
  };
  const deep = tooDeep(text);
  if (deep !== undefined) {
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
    lines.lineStarts.unshift(0);
    return failed(
      error([], { what: `more than ${MAX_DEPTH} levels of nesting`, expected: 'flat YAML' }),
      deep,
    );
  }
  let doc: Document.Parsed;
  try {
    doc = parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: true,
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'error',
    });
  } catch (thrown) {
    const what = `YAML cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    return failed(error([], { what, expected: 'valid YAML' }), 0);
  }
  const locate = (path: Path, atKey = false): Position => position(offsetOf(doc, path, atKey));
  const syntax = [...doc.errors, ...doc.warnings];
  if (syntax.length > 0) {
    const duplicates = syntax.filter(e => e.code === 'DUPLICATE_KEY');
    // After any other syntax error the parser is out of step; what it says next misleads.
    const told =
      duplicates.length === syntax.length
        ? duplicates
        : syntax.filter(e => !duplicates.includes(e)).slice(0, 1);
    const placed = told.map(e => ({
      finding: syntaxFinding(e, text, pathAt(doc, e.pos[0])),
      at: position(e.pos[0]),
    }));
    return { file, value: undefined, placed, locate };
  }
  const placed = fillIn(doc, env, position);
  try {
    return { file, value: doc.toJS({ maxAliasCount: MAX_ALIASES }), placed, locate };
  } catch (thrown) {
    const unknown = /Unresolved alias.*: (.*)$/.exec(String(thrown))?.[1];
    const finding = error([], {
      what:
        unknown === undefined ? 'YAML aliases multiply without bound' : `alias *${unknown} without an anchor`,
      expected: unknown === undefined ? `at most ${MAX_ALIASES} aliases` : `&${unknown} at an earlier value`,
    });
    return {
      file,
      value: undefined,
      placed: [...placed, { finding, at: position(aliasAt(doc, unknown)) }],
      locate,
    };
  }
}

/** Replaces variables in every scalar value; keys are left as they are. */
function fillIn(doc: Document.Parsed, env: Environment, position: (offset: number) => Position): Placed[] {
  const placed: Placed[] = [];
  visit(doc, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return;
      const { text, used, unset, malformed } = substitute(node.value, env);
      const start = node.range?.[0] ?? 0;
      const path = pathAt(doc, start);
      const at = position(start);
      for (const name of new Set(unset)) {
        const what = `environment variable ${name} is not set`;
        placed.push({ finding: error(path, { what, expected: `a value, or \${${name}:-default}` }), at });
      }
      for (const piece of malformed) {
        const what = `${JSON.stringify(piece)} is no variable`;
        placed.push({
          finding: error(path, {
            what,
            expected: `\${NAME} or \${NAME:-default}, or $$\{ for the text itself`,
          }),
          at,
        });
      }
      node.value = used.length > 0 && node.type === Scalar.PLAIN ? retype(text) : text;
    },
  });
  return placed;
}
