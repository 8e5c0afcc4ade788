/**
 * The files of an EFI system partition, through mtools: the kernel that installs need not have vfat. FAT keeps the case
 * of names but does not tell them apart by it, so names are compared in lower case.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { digestOfFile } from '../../image/digest.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import { runTool } from '../disk/command.ts';

/** fsck.fat(8): errors were corrected. */
const FSCK_CORRECTED = 1;

/** One ESP on a device. Paths have no leading slash: `loader/loader.conf`. */
export class Esp {
  readonly device: string;
  readonly #doing: string;

  /** @param name of the disk, for messages */
  constructor(device: string, name: string) {
    this.device = device;
    this.#doing = `the ESP of ${name}`;
  }

  /** Mends what a killed write left behind. */
  async repair(): Promise<void> {
    await runTool('fsck.vfat', ['-a', this.device], {
      doing: `checking ${this.#doing}`,
      accept: [FSCK_CORRECTED],
      failAs: 'BootloaderFailed',
    });
  }

  /** @throws failure `VerificationFailed` where the filesystem is damaged; nothing is written */
  async check(): Promise<void> {
    await runTool('fsck.vfat', ['-n', this.device], {
      doing: `checking ${this.#doing}`,
      failAs: 'VerificationFailed',
    });
  }

  /** @returns paths of all files and folders, folders with a slash at their end */
  async list(): Promise<string[]> {
    const { stdout } = await this.#mtool('mdir', ['-/', '-a', '-b', '::'], 'listing');
    return stdout
      .split('\n')
      .map((line) => line.trim().replace(/^::\//, ''))
      .filter((path) => path !== '')
      .sort();
  }

  /** @returns the digest of a file's content as the device returns it now */
  async digest(path: string): Promise<Digest> {
    const folder = await mkdtemp(join(tmpdir(), 'iguana-esp-'));
    try {
      const copy = join(folder, 'copy');
      await this.copyOut(path, copy);
      return await digestOfFile(copy);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Copies a file from it. */
  async copyOut(path: string, localFile: string): Promise<void> {
    await this.#mtool('mcopy', ['-n', '-m', inside(path), localFile], `reading ${path} from`);
  }

  /** Writes a file, with its folders; one of that name is replaced. */
  async write(path: string, localFile: string): Promise<void> {
    const folders = await this.list();
    const parents = path.split('/').slice(0, -1);
    for (const index of parents.keys()) {
      const folder = parents.slice(0, index + 1).join('/');
      if (!folders.some((known) => isSamePath(known, `${folder}/`))) {
        await this.#mtool('mmd', [inside(folder)], `making folder ${folder} on`);
      }
    }
    await this.#mtool('mcopy', ['-o', '-m', localFile, inside(path)], `writing ${path} to`);
  }

  /** Gives a file another name in the same folder. */
  async rename(path: string, name: string): Promise<void> {
    await this.#mtool(
      'mren',
      [inside(path), inside(posix.join(posix.dirname(path), name))],
      `renaming ${path} on`,
    );
  }

  /** Removes a file, or a folder (its path ends in a slash) with everything in it. */
  async remove(path: string): Promise<void> {
    const tool = path.endsWith('/') ? 'mdeltree' : 'mdel';
    await this.#mtool(tool, [inside(path.replace(/\/$/, ''))], `removing ${path} from`);
  }

  /** Returns when everything written is on the disk; afterwards reads come from the disk and not from the cache. */
  async flush(): Promise<void> {
    // BLKFLSBUF writes back and then drops the pages of the block device, which mtools read and write through.
    await runTool('blockdev', ['--flushbufs', this.device], { doing: `flushing ${this.#doing}` });
  }

  async #mtool(tool: string, args: readonly string[], doing: string): ReturnType<typeof runTool> {
    return await runTool(tool, ['-i', this.device, ...args], {
      doing: `${doing} ${this.#doing}`,
      failAs: 'BootloaderFailed',
    });
  }
}

/** @returns whether FAT takes two paths for the same */
export function isSamePath(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

const inside = (path: string): string => `::/${path}`;
