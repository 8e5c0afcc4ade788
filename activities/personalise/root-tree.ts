/**
 * The installed system's tree as seen from outside, without ever leaving it.
 *
 * A path is resolved as chroot(2) would: an absolute link starts again at the root of the target, and `..` stops there.
 * An image whose /etc is a link to /host/etc therefore never leads a write into the installer's own /host/etc.
 */
import type { Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './errors.ts';

/** Same limit as Linux (path_resolution(7)). */
const MAX_LINKS = 40;

/** A folder that holds a system's root, e.g. where its root partition is mounted. */
export class RootTree {
  readonly folder: string;

  /** @param folder absolute path on this machine */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** @returns where a canonical path of the target is on this machine */
  outside(canonical: string): string {
    return join(this.folder, canonical);
  }

  /**
   * The canonical path: no links in its parents; the last part is taken as it is.
   * @param path absolute path in the target; need not exist
   * @throws Error where links form a loop, or a parent is no folder
   */
  async canonical(path: string): Promise<string> {
    return await this.#resolve(path, false);
  }

  /**
   * The canonical path of what a path leads to, through links in its last part too.
   * @throws Error as {@link canonical}
   */
  async followed(path: string): Promise<string> {
    return await this.#resolve(path, true);
  }

  /** @returns what is at a canonical path; undefined where nothing is */
  async stat(canonical: string): Promise<Stats | undefined> {
    try {
      return await lstat(this.outside(canonical));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** @returns the content of the file at a canonical path; undefined where there is none */
  async read(canonical: string): Promise<Buffer | undefined> {
    const stat = await this.stat(canonical);
    return stat?.isFile() ? await readFile(this.outside(canonical)) : undefined;
  }

  /** @returns names in the folder at a canonical path, sorted; none where there is no such folder */
  async list(canonical: string): Promise<string[]> {
    const stat = await this.stat(canonical);
    return stat?.isDirectory() ? (await readdir(this.outside(canonical))).sort() : [];
  }

  async #resolve(path: string, followLast: boolean): Promise<string> {
    const pending = path.split('/').filter((part) => part !== '' && part !== '.');
    const done: string[] = [];
    let links = 0;
    for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
      if (part === '..') {
        done.pop();
        continue;
      }
      const here = `/${[...done, part].join('/')}`;
      const isLast = pending.length === 0;
      const stat = await this.stat(here);
      if (stat?.isSymbolicLink() && (followLast || !isLast)) {
        links += 1;
        if (links > MAX_LINKS) throw new Error(`resolving ${path} in the target: too many symbolic links`);
        const target = await readlink(this.outside(here));
        if (target.startsWith('/')) done.length = 0;
        pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
        continue;
      }
      if (stat && !isLast && !stat.isDirectory()) {
        throw new Error(`resolving ${path} in the target: ${here} is no folder`);
      }
      done.push(part);
    }
    return `/${done.join('/')}`;
  }
}
