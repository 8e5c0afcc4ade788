/**
 * The list of all paths that differ from the image, kept on the target. Only its digest leaves the machine; whoever
 * verifies reads the list from the disk and checks it against that digest first.
 */

import { readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { digestOf } from '../../image/digest.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import { describeLive } from './apply.ts';
import type { Description } from './entry.ts';
import { STATE_FOLDER, writeDurably } from './record.ts';
import type { RootTree } from './root-tree.ts';

/** Where the list is on the target. */
export const CHANGES_FILE = `${STATE_FOLDER}/changes.json`;

/** Descriptions by canonical path. */
export type Changes = ReadonlyMap<string, Description>;

/**
 * Writes the list: what was changed, and Iguana's own state on the target.
 * @returns its digest
 */
export async function writeChanges(
  tree: RootTree,
  changes: Changes,
  marks: readonly string[],
): Promise<Digest> {
  const all = new Map(changes);
  for (const path of [...marks, ...(await walk(tree, STATE_FOLDER))]) {
    if (path !== CHANGES_FILE) all.set(path, await describeLive(tree, path));
  }
  const sorted = Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify(sorted, null, 1)}\n`;
  await writeDurably(tree.outside(CHANGES_FILE), text);
  return digestOf(text);
}

/**
 * Reads the list.
 * @returns undefined where the target has none, or one with another digest
 */
export async function readChanges(tree: RootTree, digest: Digest): Promise<Changes | undefined> {
  const text = await tree.read(CHANGES_FILE);
  if (!text || digestOf(text) !== digest) return undefined;
  return new Map(Object.entries(JSON.parse(text.toString('utf8')) as Record<string, Description>));
}

async function walk(tree: RootTree, folder: string): Promise<string[]> {
  const paths = [folder];
  for (const entry of await readdir(tree.outside(folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) paths.push(...(await walk(tree, path)));
    else paths.push(path);
  }
  return paths;
}
