// Reads a zod schema as a tree of keys: which keys a map may have, where a key belongs, whether every key is shown.

import type * as z from 'zod';
import type { Path } from './problem.ts';

/** What can stand at one place, wrappers (default, optional, transform) removed and unions spread. */
type Shape = z.ZodObject | z.ZodRecord | z.ZodArray | z.ZodType;

/** zod's public `def` is typed loosely across kinds; these are the members that are read here. */
interface Def {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly element?: z.ZodType;
  readonly keyType?: z.ZodType;
  readonly valueType?: z.ZodType;
  /** Of an enumeration. */
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
}
const defOf = (schema: z.ZodType): Def => schema.def as unknown as Def;

function shapesOf(schema: z.ZodType): readonly Shape[] {
  const def = defOf(schema);
  if (def.innerType !== undefined) return shapesOf(def.innerType);
  if (def.in !== undefined) return shapesOf(def.in);
  if (def.options !== undefined) return def.options.flatMap(shapesOf);
  return [schema];
}

function childrenAt(schema: z.ZodType, part: string | number): readonly z.ZodType[] {
  return shapesOf(schema).flatMap(shape => {
    const def = defOf(shape);
    if (def.shape !== undefined)
      return typeof part === 'string' && Object.hasOwn(def.shape, part) ? [def.shape[part]!] : [];
    return (def.element ?? def.valueType) === undefined ? [] : [(def.element ?? def.valueType)!];
  });
}

/** Every schema that can stand at `path`. */
function schemasAt(root: z.ZodType, path: Path): readonly z.ZodType[] {
  let found: readonly z.ZodType[] = [root];
  for (const part of path) found = found.flatMap(schema => childrenAt(schema, part));
  return found;
}

/** The keys that a map at `path` may have; empty when none is a map of known keys. */
export function keysAt(root: z.ZodType, path: Path): readonly string[] {
  const shapes = schemasAt(root, path).flatMap(shapesOf);
  const named = (shape: Shape): string[] => {
    const def = defOf(shape);
    // A record whose names are an enumeration is a map of known keys too.
    return Object.keys(def.shape ?? (def.keyType && defOf(def.keyType).entries) ?? {});
  };
  return [...new Set(shapes.flatMap(named))];
}

/** Kinds that can stand at `path`, as zod names them (`string`, `object` …). */
export const kindsAt = (root: z.ZodType, path: Path): readonly string[] => [
  ...new Set(
    schemasAt(root, path)
      .flatMap(shapesOf)
      .map(shape => defOf(shape).type),
  ),
];

/** Every key path below the schema; `[]` stands for any list index and `*` for any name. */
export function allKeys(schema: z.ZodType, prefix = ''): readonly string[] {
  return shapesOf(schema).flatMap(shape => {
    const def = defOf(shape);
    if (def.element !== undefined) return allKeys(def.element, `${prefix}[]`);
    if (def.valueType !== undefined) return allKeys(def.valueType, `${prefix}.*`);
    return Object.entries(def.shape ?? {}).flatMap(([key, value]) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return [path, ...allKeys(value, path)];
    });
  });
}
