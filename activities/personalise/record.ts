/**
 * The record of what was at each changed path in the image, kept on the target itself, so that a later run can tell the
 * image's state from its own work: after a kill, and after an amendment that no longer wants a change.
 *
 * It lives below /etc, because /etc is the one folder that is on the root partition in every layout.
 */
import { constants, type Dirent } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { isMissing } from './errors.ts';
import type { RootTree } from './root-tree.ts';

/** Where everything of Iguana's is on the target; mode 0700. */
export const STATE_FOLDER = '/etc/iguana';
/** Copies of the image's files that were changed, at their own paths below this folder. */
export const PRISTINE_FOLDER = `${STATE_FOLDER}/pristine`;
const RECORD_FILE = `${STATE_FOLDER}/record.json`;

/** What the image had at a path. Files have a copy below {@link PRISTINE_FOLDER}. */
export type Original =
  | { readonly type: 'absent' }
  | { readonly type: 'file'; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly type: 'directory'; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly type: 'symlink'; readonly target: string; readonly uid: number; readonly gid: number };

interface RecordFile {
  /** Random; tells this root filesystem from an earlier one that was on the same partition. */
  readonly generation: string;
  readonly originals: Readonly<Record<string, Original>>;
}

/** The record of one target. */
export class ChangeRecord {
  readonly generation: string;
  readonly #tree: RootTree;
  readonly #originals: Map<string, Original>;

  private constructor(tree: RootTree, content: RecordFile) {
    this.#tree = tree;
    this.generation = content.generation;
    this.#originals = new Map(Object.entries(content.originals));
  }

  /**
   * Reads the record of a target, or begins one.
   * @throws Error where the image's /etc is a link: the record would then be outside of the root partition
   */
  static async open(tree: RootTree, newGeneration: string): Promise<ChangeRecord> {
    if ((await tree.followed(RECORD_FILE)) !== RECORD_FILE) {
      throw new Error(`opening the record in the target: ${STATE_FOLDER} leads through a symbolic link`);
    }
    try {
      return new ChangeRecord(
        tree,
        JSON.parse(await readFile(tree.outside(RECORD_FILE), 'utf8')) as RecordFile,
      );
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const record = new ChangeRecord(tree, { generation: newGeneration, originals: {} });
    await record.#save();
    return record;
  }

  /** @returns what the image had; undefined where the path was never touched, so the tree itself says it */
  original(canonical: string): Original | undefined {
    return this.#originals.get(canonical);
  }

  /** @returns all touched paths, parents before what is in them */
  paths(): string[] {
    return [...this.#originals.keys()].sort();
  }

  /** @returns where on this machine the copy of the image's file is */
  copyOf(canonical: string): string {
    return join(this.#tree.outside(PRISTINE_FOLDER), canonical);
  }

  /**
   * Remembers what is at paths now, before they are changed for the first time. What is remembered already stays.
   * Returns when it is on the disk: only then may a path be changed.
   */
  async remember(paths: readonly string[]): Promise<void> {
    const unknown = paths.filter((path) => !this.#originals.has(path));
    if (unknown.length === 0) return;
    for (const path of unknown) this.#originals.set(path, await this.#lookAt(path));
    await this.#save();
  }

  /** Forgets a path that is again as the image had it. */
  async forget(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    for (const path of paths) this.#originals.delete(path);
    await this.#save();
  }

  /** Removes copies that no path needs: of forgotten ones, and of a run that was killed before it had recorded them. */
  async tidy(): Promise<void> {
    await this.#tidyFolder('/');
  }

  /** @returns whether nothing is left in the folder */
  async #tidyFolder(folder: string): Promise<boolean> {
    let isEmpty = true;
    for (const entry of await readdirIfAny(this.copyOf(folder))) {
      const path = posix.join(folder, entry.name);
      const isNeeded = entry.isDirectory()
        ? !(await this.#tidyFolder(path))
        : this.#originals.get(path)?.type === 'file';
      if (isNeeded) isEmpty = false;
      else await rm(this.copyOf(path), { recursive: true });
    }
    return isEmpty;
  }

  async #lookAt(path: string): Promise<Original> {
    const stat = await this.#tree.stat(path);
    if (!stat) return { type: 'absent' };
    const owned = { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
    if (stat.isSymbolicLink()) {
      const target = await readlink(this.#tree.outside(path));
      return { type: 'symlink', target, uid: stat.uid, gid: stat.gid };
    }
    if (stat.isDirectory()) return { type: 'directory', ...owned };
    if (!stat.isFile())
      throw new Error(`changing ${path} in the target: it is neither file, folder nor link`);
    const copy = this.copyOf(path);
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
    await copyFile(this.#tree.outside(path), copy, constants.COPYFILE_FICLONE);
    const handle = await open(copy, 'r+');
    try {
      await handle.chmod(0o600);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { type: 'file', ...owned };
  }

  async #save(): Promise<void> {
    await mkdir(this.#tree.outside(STATE_FOLDER), { recursive: true, mode: 0o700 });
    const originals = Object.fromEntries([...this.#originals].sort(([a], [b]) => (a < b ? -1 : 1)));
    const content: RecordFile = { generation: this.generation, originals };
    await writeDurably(this.#tree.outside(RECORD_FILE), `${JSON.stringify(content, null, 1)}\n`);
  }
}

async function readdirIfAny(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Replaces a file as a whole, mode 0600, and returns when both content and name are on the disk. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
