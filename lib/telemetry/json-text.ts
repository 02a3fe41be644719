// Strings as JSON, fast when they are plain, and safe to show: nothing in them can end a line or steer a terminal.

const NEEDS_ESCAPE = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/;
/** JSON allows these raw, terminals and line splitters do not take them kindly. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
const HAS_UNSAFE = /[\u007f-\u009f\u2028\u2029]/;

/** `text` in quotes. */
export function safeJsonString(text: string): string {
  return NEEDS_ESCAPE.test(text) ? escapeUnsafe(JSON.stringify(text)) : `"${text}"`;
}

/** The same for a whole JSON text, in which such characters can only stand inside strings. */
export function escapeUnsafe(json: string): string {
  return HAS_UNSAFE.test(json)
    ? json.replace(UNSAFE, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : json;
}
