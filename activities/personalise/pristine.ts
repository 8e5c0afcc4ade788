/** The target as the image had it, whatever an earlier run has changed since: what generators read from. */
import { readFile } from 'node:fs/promises';
import type { ChangeRecord } from './record.ts';
import type { RootTree } from './root-tree.ts';

/** Type, permissions and owner of something in the image. */
export interface PristineStat {
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Reads the image's own state of a target. */
export class PristineTree {
  readonly #tree: RootTree;
  readonly #record: ChangeRecord;

  constructor(tree: RootTree, record: ChangeRecord) {
    this.#tree = tree;
    this.#record = record;
  }

  /** @returns what the image has at a path, links followed; undefined where it has nothing */
  async stat(path: string): Promise<PristineStat | undefined> {
    const canonical = await this.#tree.followed(path);
    const original = this.#record.original(canonical);
    if (original) return original.type === 'absent' ? undefined : { mode: 0o777, ...original };
    const stat = await this.#tree.stat(canonical);
    if (!stat) return undefined;
    const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
    return { type, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
  }

  /** @returns the content the image has at a path, links followed; undefined where it has no file */
  async read(path: string): Promise<Buffer | undefined> {
    const canonical = await this.#tree.followed(path);
    const original = this.#record.original(canonical);
    if (!original) return await this.#tree.read(canonical);
    return original.type === 'file' ? await readFile(this.#record.copyOf(canonical)) : undefined;
  }

  /** @returns the text the image has at a path; empty where it has no file */
  async text(path: string): Promise<string> {
    return (await this.read(path))?.toString('utf8') ?? '';
  }

  /** @returns names that the image has in a folder, sorted */
  async list(path: string): Promise<string[]> {
    const canonical = await this.#tree.followed(path);
    const names = await this.#tree.list(canonical);
    return names.filter((name) => this.#record.original(`${canonical}/${name}`)?.type !== 'absent');
  }
}
