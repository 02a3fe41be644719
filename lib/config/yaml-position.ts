// Where things stand in a parsed YAML document: from a path to an offset, and back.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar, visit } from 'yaml';
import type { Path } from './problem.ts';

/** The parser recurses; deeper nesting than this is refused before it runs out of stack. */
export const MAX_DEPTH = 64;

/** The offset at which flow brackets or indentation nest too deep, or undefined. */
export function tooDeep(text: string): number | undefined {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '[' || c === '{') depth++;
    else if (c === ']' || c === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return i;
  }
  // Block nesting needs two columns a level, or `- - -` on one line.
  const block = new RegExp(`^(?: {${MAX_DEPTH * 2},}\\S| *(?:[-?] +){${MAX_DEPTH}})`, 'm').exec(text);
  return block?.index;
}

/** The offset of the first alias of that name, or of the first at all. */
export function aliasAt(doc: Document.Parsed, name: string | undefined): number {
  let offset = 0;
  visit(doc, {
    Alias(_, node) {
      if (name !== undefined && node.source !== name) return;
      offset = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

/** The offset of the value at `path` (or of its key), or of the nearest above it that is written. */
export function offsetOf(doc: Document.Parsed, path: Path, atKey: boolean): number {
  let node: Node | null | undefined = doc.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) break;
      const keyOffset = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
      node = pair.value as Node | null;
      const wantKey = (atKey && depth === path.length - 1) || node?.range == null;
      offset = (wantKey ? keyOffset : node?.range?.[0]) ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(part)] as Node | undefined;
      if (node === undefined) break;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** The path of the innermost value or key that stands at `offset`. */
export function pathAt(doc: Document.Parsed, offset: number): Path {
  const path: (string | number)[] = [];
  let node: unknown = doc.contents;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    if (isMap(node)) {
      const pair = node.items.findLast(
        item => isScalar(item.key) && (item.key.range?.[0] ?? Infinity) <= offset,
      );
      if (pair === undefined) break;
      path.push(String((pair.key as Scalar).value));
      node = pair.value;
    } else if (isSeq(node)) {
      const index = node.items.findLastIndex(
        item => ((item as Node | null)?.range?.[0] ?? Infinity) <= offset,
      );
      if (index < 0) break;
      path.push(index);
      node = node.items[index];
    } else break;
  }
  return path;
}
