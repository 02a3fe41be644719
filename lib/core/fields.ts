// Header and trailer fields as HTTP has them: an ordered list with repeats, flat in memory (RFC 9110, section 5).

/** name, value, name, value … Names keep the case they came in; comparisons ignore it. */
export type Fields = readonly string[];
export type MutableFields = string[];

export const NO_FIELDS: Fields = Object.freeze([]);

/** Equal ignoring ASCII case; `lower` must be lower case already. */
export function nameIs(name: string, lower: string): boolean {
  return name.length === lower.length && (name === lower || name.toLowerCase() === lower);
}

/** The first value of the field, or undefined. `lower` is the name in lower case. */
export function fieldValue(fields: Fields, lower: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (nameIs(fields[i]!, lower)) return fields[i + 1]!;
  return undefined;
}

/** All values of the field, in order. */
export function fieldValues(fields: Fields, lower: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < fields.length; i += 2) if (nameIs(fields[i]!, lower)) found.push(fields[i + 1]!);
  return found;
}

/** All values joined as RFC 9110, section 5.3 allows (never for Set-Cookie), or undefined when absent. */
export function joinedValue(fields: Fields, lower: string): string | undefined {
  const found = fieldValues(fields, lower);
  return found.length === 0 ? undefined : found.join(', ');
}

export const hasField = (fields: Fields, lower: string): boolean => fieldValue(fields, lower) !== undefined;

/** Removes every occurrence in place. */
export function removeField(fields: MutableFields, lower: string): void {
  let kept = 0;
  for (let i = 0; i < fields.length; i += 2) {
    if (nameIs(fields[i]!, lower)) continue;
    fields[kept] = fields[i]!;
    fields[kept + 1] = fields[i + 1]!;
    kept += 2;
  }
  fields.length = kept;
}

/** Replaces every occurrence by one. */
export function setField(fields: MutableFields, name: string, value: string): void {
  removeField(fields, name.toLowerCase());
  fields.push(name, value);
}
