// `${VAR}` and `${VAR:-default}` in a scalar that was parsed already, so that no value can change the YAML around it.

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Substituted {
  readonly text: string;
  /** Variables that were used; empty when the text had none. */
  readonly used: readonly string[];
  /** Variables without a value or a default. */
  readonly unset: readonly string[];
  /** Pieces that begin like a variable and are none. */
  readonly malformed: readonly string[];
}

/** `$$` is a literal `$`; a `$` before anything else but `{` stands for itself (`$1` in a rewrite). */
const PIECE = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?/g;

export function substitute(text: string, env: Environment): Substituted {
  const used: string[] = [];
  const unset: string[] = [];
  const malformed: string[] = [];
  const replaced = text.replaceAll(PIECE, (piece, name?: string, fallback?: string) => {
    if (piece === '$$') return '$';
    if (name === undefined) {
      malformed.push(piece);
      return piece;
    }
    used.push(name);
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    // As in a shell, `:-` also replaces a variable that is set to nothing.
    if (fallback !== undefined) return value || fallback;
    if (value === undefined) unset.push(name);
    return value ?? '';
  });
  return { text: replaced, used, unset, malformed };
}

const NUMBER = /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/;

/** What YAML 1.2's core schema makes of the same text written plainly. */
export function retype(text: string): string | number | boolean | null {
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^(null|Null|NULL|~)$/.test(text)) return null;
  if (/^0x[0-9a-fA-F]+$/.test(text) || NUMBER.test(text)) return Number(text);
  return text;
}
