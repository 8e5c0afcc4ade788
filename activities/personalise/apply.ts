/**
 * Brings the target to the wanted entries: each path is replaced as a whole or not at all, so that a kill anywhere leaves
 * only old and new states, and what is right already is not written again.
 */

import {
  lchown,
  symlink as makeLink,
  mkdir,
  open,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
} from 'node:fs/promises';
import { posix } from 'node:path';
import { digestOf } from '../../image/digest.ts';
import { type Description, describeEntry, directory, type Entries, type Entry } from './entry.ts';
import type { ChangeRecord } from './record.ts';
import type { RootTree } from './root-tree.ts';

/** Where new files are made before they are renamed into place; one on each filesystem, since rename(2) needs that. */
export const STAGING = '.iguana-staging';

/** The filesystems of a target, and where each may keep files that are being made. */
export class Staging {
  readonly #tree: RootTree;
  readonly #mountPoints: readonly string[];
  readonly #byDevice = new Map<number, string>();
  #count = 0;

  /** @param mountPoints canonical mount points in the target, `/` among them */
  constructor(tree: RootTree, mountPoints: readonly string[]) {
    this.#tree = tree;
    this.#mountPoints = mountPoints;
  }

  /** Makes the folders; what a killed run left in them is removed. */
  async prepare(): Promise<void> {
    await this.clear();
    for (const mountPoint of this.#mountPoints) {
      const folder = this.#tree.outside(posix.join(mountPoint, STAGING));
      await mkdir(folder, { mode: 0o700 });
      const stat = await this.#tree.stat(mountPoint);
      if (stat) this.#byDevice.set(stat.dev, folder);
    }
  }

  /** Removes the folders. */
  async clear(): Promise<void> {
    for (const mountPoint of this.#mountPoints) {
      await rm(this.#tree.outside(posix.join(mountPoint, STAGING)), { recursive: true, force: true });
    }
  }

  /** @returns a fresh name on the filesystem that holds a canonical path's parent */
  async nameFor(canonical: string): Promise<string> {
    const parent = await this.#tree.stat(posix.dirname(canonical));
    const folder = parent && this.#byDevice.get(parent.dev);
    if (!folder) throw new Error(`writing ${canonical} in the target: it is on no partition of this install`);
    this.#count += 1;
    return posix.join(folder, String(this.#count));
  }
}

/**
 * Makes the target have the wanted entries, and the image's own state at every path that was changed before and is wanted
 * no longer.
 * @param onPath called before each path that is wanted; may throw to stop there
 * @returns the description of every path that differs from the image, by canonical path, sorted
 * @throws Error where the image has a folder where a file is wanted, or the other way round
 */
export async function applyEntries(
  tree: RootTree,
  record: ChangeRecord,
  staging: Staging,
  wanted: Entries,
  onPath: (path: string) => void,
): Promise<Map<string, Description>> {
  const entries = await canonicalEntries(tree, record, wanted);
  await record.remember([...entries.keys()]);
  await restoreUnwanted(tree, record, staging, entries);
  for (const [path, entry] of entries) {
    onPath(path);
    await applyEntry(tree, staging, path, entry);
  }
  return new Map([...entries].map(([path, entry]) => [path, describeEntry(entry)]));
}

/** Resolves links in parents, and adds the parents that the image lacks. Of two entries for one path the later wins. */
async function canonicalEntries(tree: RootTree, record: ChangeRecord, wanted: Entries): Promise<Entries> {
  const entries: Entries = new Map();
  for (const [path, entry] of wanted) entries.set(await tree.canonical(path), entry);
  for (const path of [...entries.keys()]) {
    for (let parent = posix.dirname(path); parent !== '/'; parent = posix.dirname(parent)) {
      const original = record.original(parent)?.type;
      const isInImage = original
        ? original === 'directory'
        : (await tree.stat(parent))?.isDirectory() === true;
      if (!isInImage && !entries.has(parent)) entries.set(parent, directory());
    }
  }
  // Sorted, a parent comes before what is in it.
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Gives back to the image what is no longer wanted, what is deepest first. */
async function restoreUnwanted(
  tree: RootTree,
  record: ChangeRecord,
  staging: Staging,
  entries: Entries,
): Promise<void> {
  const unwanted = record
    .paths()
    .filter((path) => !entries.has(path))
    .reverse();
  for (const path of unwanted) {
    const original = record.original(path);
    if (!original) continue;
    const entry: Entry =
      original.type === 'file' ? { ...original, content: await readFile(record.copyOf(path)) } : original;
    await applyEntry(tree, staging, path, entry);
  }
  await record.forget(unwanted);
}

async function applyEntry(tree: RootTree, staging: Staging, path: string, entry: Entry): Promise<void> {
  const current = await describeLive(tree, path);
  if (isSame(current, describeEntry(entry))) return;
  const place = tree.outside(path);
  switch (entry.type) {
    case 'absent':
      await (current.type === 'directory' ? rmdir(place) : rm(place));
      return;
    case 'directory':
      await makeDirectory(place, path, entry, current);
      return;
    case 'symlink': {
      refuseFolder(path, current);
      const temporary = await staging.nameFor(path);
      await makeLink(entry.target, temporary);
      await lchown(temporary, entry.uid, entry.gid);
      await rename(temporary, place);
      return;
    }
    case 'file': {
      refuseFolder(path, current);
      const temporary = await staging.nameFor(path);
      // Nobody but root may read it before it has its owner.
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(entry.content);
        await handle.chown(entry.uid, entry.gid);
        await handle.chmod(entry.mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, place);
    }
  }
}

async function makeDirectory(
  place: string,
  path: string,
  entry: Extract<Entry, { type: 'directory' }>,
  current: Description,
): Promise<void> {
  if (current.type === 'absent') await mkdir(place, { mode: 0o700 });
  else if (current.type !== 'directory') {
    throw new Error(`making folder ${path} in the target: the image has a ${current.type} there`);
  }
  const handle = await open(place, 'r');
  try {
    await handle.chown(entry.uid, entry.gid);
    await handle.chmod(entry.mode);
  } finally {
    await handle.close();
  }
}

function refuseFolder(path: string, current: Description): void {
  if (current.type === 'directory') {
    throw new Error(`writing ${path} in the target: the image has a folder there`);
  }
}

/** @returns what is at a canonical path now */
export async function describeLive(tree: RootTree, path: string): Promise<Description> {
  const stat = await tree.stat(path);
  if (!stat) return { type: 'absent' };
  const { uid, gid } = stat;
  const mode = stat.mode & 0o7777;
  const place = tree.outside(path);
  if (stat.isSymbolicLink()) return { type: 'symlink', target: await readlink(place), uid, gid };
  if (stat.isDirectory()) return { type: 'directory', mode, uid, gid };
  if (!stat.isFile()) throw new Error(`writing ${path} in the target: it is neither file, folder nor link`);
  return { type: 'file', mode, uid, gid, size: stat.size, digest: digestOf(await readFile(place)) };
}

function isSame(a: Description, b: Description): boolean {
  switch (a.type) {
    case 'absent':
      return b.type === 'absent';
    case 'directory':
      return b.type === 'directory' && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
    case 'symlink':
      return b.type === 'symlink' && a.target === b.target && a.uid === b.uid && a.gid === b.gid;
    case 'file':
      return (
        b.type === 'file' && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.digest === b.digest
      );
  }
}
