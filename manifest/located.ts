/** A parsed document in which every value knows the place it was written at, also after layers were merged. */

/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A value with its place. */
export type Located =
  | { readonly kind: 'scalar'; readonly at: Position; readonly value: Scalar }
  | { readonly kind: 'map'; readonly at: Position; readonly entries: ReadonlyMap<string, LocatedEntry> }
  | { readonly kind: 'list'; readonly at: Position; readonly items: readonly Located[] };

/** One key of a map: where the key is written, and its value. */
export interface LocatedEntry {
  readonly key: Position;
  readonly node: Located;
}

/** A map. */
export type LocatedMap = Extract<Located, { kind: 'map' }>;

/** What JSON knows besides objects and arrays. */
export type Scalar = string | number | boolean | null;

/** The way to a value: keys of maps and indices of lists. */
export type Path = readonly (string | number)[];

/** @returns the plain value, as JSON would hold it */
export function toValue(node: Located): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(toValue);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toValue(entry.node)]));
  }
}

/** @returns the value at a path; undefined where there is none */
export function nodeAt(root: Located, path: Path): Located | undefined {
  let node: Located | undefined = root;
  for (const part of path) node = node && child(node, part);
  return node;
}

function child(node: Located, part: string | number): Located | undefined {
  if (node.kind === 'map') return node.entries.get(String(part))?.node;
  return node.kind === 'list' ? node.items[Number(part)] : undefined;
}

/** @returns the place of the value at a path or, where it is missing, of the innermost one around it */
export function positionAt(root: Located, path: Path): Position {
  for (let length = path.length; length > 0; length--) {
    const node = nodeAt(root, path.slice(0, length));
    if (node) return node.at;
  }
  return root.at;
}

/** @returns the place of a key of the map at a path */
export function keyPositionAt(root: Located, path: Path, key: string): Position {
  const node = nodeAt(root, path);
  return (node?.kind === 'map' ? node.entries.get(key)?.key : undefined) ?? positionAt(root, path);
}

/**
 * @param path as zod writes it
 * @returns the path as people read it, e.g. `storage.partitions[1].size`; `(document)` for the root
 */
export function formatPath(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text.replace(/^\./, '') || '(document)';
}
