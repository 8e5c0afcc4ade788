/**
 * Merges profile layers: defaults ← site ← role ← machine; what a later layer says wins.
 *
 * - Maps are merged key by key.
 * - Lists of named things are merged by their key. An entry keeps its place in the list; a new one goes to the end; an
 *   entry with `remove: true` removes that of the earlier layers.
 * - `image.packages` and `image.kernel.cmdline` are added to; `-NAME` removes.
 * - Every other list, e.g. the addresses of an interface, is replaced as a whole.
 */
import { type Diagnostic, diagnose } from './diagnostics.ts';
import type { Located, LocatedEntry, LocatedMap, Path } from './located.ts';
import { unitName } from './unit-name.ts';

/** Lists that are merged, with what their entries are known by. */
export const KEYED_LISTS: Readonly<Record<string, string>> = {
  'image.repositories': 'name',
  'image.files': 'path',
  'image.services': 'name',
  'image.scripts': 'name',
  'storage.partitions': 'label',
  'machine.network': 'name',
  'machine.users': 'name',
  'machine.groups': 'name',
  'machine.files': 'path',
  'machine.firstBoot': 'name',
};

/** Lists that are added to. */
export const UNION_LISTS: ReadonlySet<string> = new Set(['image.packages', 'image.kernel.cmdline']);

/** Field of an entry that removes the one of the same key. */
const REMOVE = 'remove';

/**
 * Merges documents; each must have passed the profile's schema.
 * @param layers earliest first, at least one
 * @returns one document in which every value keeps the place it came from
 */
export function mergeLayers(layers: readonly Located[]): Located {
  const [first, ...others] = layers;
  if (!first) throw new RangeError('merging no layers');
  // The first layer has nothing to merge with, but its own removals have to go.
  return others.reduce((merged, layer) => merge(merged, layer, []), merge(emptied(first), first, []));
}

const emptied = (layer: Located): Located => ({ kind: 'map', at: layer.at, entries: new Map() });

function merge(earlier: Located | undefined, later: Located, path: Path): Located {
  if (later.kind === 'map') {
    const base = earlier?.kind === 'map' && !isOtherForm(earlier, later) ? earlier : undefined;
    return mergeMaps(base, later, path);
  }
  if (later.kind === 'list') {
    const name = path.join('.');
    const items = earlier?.kind === 'list' ? earlier.items : [];
    const key = KEYED_LISTS[name];
    if (key) return { ...later, items: mergeKeyed(items, later.items, key, path) };
    if (UNION_LISTS.has(name)) return { ...later, items: mergeUnion(items, later.items) };
  }
  return later;
}

/** A secret by reference has nothing in common with what it replaces. */
const isOtherForm = (earlier: LocatedMap, later: LocatedMap): boolean =>
  earlier.entries.has('secret') !== later.entries.has('secret');

function mergeMaps(earlier: LocatedMap | undefined, later: LocatedMap, path: Path): Located {
  const entries = new Map<string, LocatedEntry>(earlier?.entries);
  for (const [key, { key: at, node }] of later.entries) {
    entries.set(key, { key: at, node: merge(entries.get(key)?.node, node, [...path, key]) });
  }
  for (const key of alternativesOf(later)) if (!later.entries.has(key)) entries.delete(key);
  return { kind: 'map', at: later.at, entries };
}

/** `content` and `source` are two ways to say one thing: the later layer's way replaces the earlier's, encoding too. */
function alternativesOf(later: LocatedMap): readonly string[] {
  if (later.entries.has('content')) return ['source', 'encoding'];
  return later.entries.has('source') ? ['content'] : [];
}

function mergeKeyed(
  earlier: readonly Located[],
  later: readonly Located[],
  key: string,
  path: Path,
): readonly Located[] {
  const list = path.join('.');
  const merged = new Map(earlier.map((item) => [keyOf(item, key, list), item]));
  for (const item of later) {
    const name = keyOf(item, key, list);
    // An entry that is removed and given anew in one layer starts from nothing.
    if (isRemoval(item)) merged.delete(name);
    else merged.set(name, merge(merged.get(name), item, [...path, name]));
  }
  return [...merged.values()];
}

function keyOf(item: Located, key: string, list: string): string {
  const node = item.kind === 'map' ? item.entries.get(key)?.node : undefined;
  const text = node?.kind === 'scalar' ? String(node.value) : '';
  // So that `ssh` and `ssh.service` are one.
  return list === 'image.services' ? unitName(text) : text;
}

function isRemoval(item: Located): boolean {
  const node = item.kind === 'map' ? item.entries.get(REMOVE)?.node : undefined;
  return node?.kind === 'scalar' && node.value === true;
}

function mergeUnion(earlier: readonly Located[], later: readonly Located[]): readonly Located[] {
  const merged = new Map(earlier.map((item) => [textOf(item), item]));
  for (const item of later) {
    const text = textOf(item);
    if (text.startsWith('-')) merged.delete(text.slice(1));
    else if (!merged.has(text)) merged.set(text, item);
  }
  return [...merged.values()];
}

const textOf = (item: Located): string => (item.kind === 'scalar' ? String(item.value) : '');

/** @returns a diagnostic for each key that one layer has twice in a keyed list, so that neither wins by chance */
export function findDuplicateKeys(root: Located): Diagnostic[] {
  return Object.entries(KEYED_LISTS).flatMap(([name, key]) => {
    const path = name.split('.');
    const list = path.reduce<Located | undefined>(
      (node, part) => (node?.kind === 'map' ? node.entries.get(part)?.node : undefined),
      root,
    );
    if (list?.kind !== 'list') return [];
    const seen = new Map<string, Located>();
    return list.items.flatMap((item, index) => {
      const value = keyOf(item, key, name);
      const first = seen.get(value);
      if (!first) seen.set(value, item);
      if (!first || value === '') return [];
      const message = `there is already an entry with this ${key} in line ${first.at.line}`;
      return [
        diagnose(root, [...path, index, key], 'ProfileInvalid', message, { found: JSON.stringify(value) }),
      ];
    });
  });
}
