/**
 * Moving what the image has below a mount point onto the partition that is mounted there, e.g. /var.
 *
 * In this order, each step harmless when it is repeated: the partition is emptied, the content is copied, the copy is
 * flushed and marked as complete, only then is the folder on the parent filesystem emptied. The mark holds the root
 * filesystem's generation (see {@link ChangeRecord}): a root that was written anew does not take over an old copy.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../disk/command.ts';
import { isMissing } from './errors.ts';
import { writeDurably } from './record.ts';

/** Name of the mark in the root folder of each partition. */
export const MOVED_MARK = '.iguana-moved';
/** Made by mkfs.ext4 for e2fsck; it belongs to the filesystem and not to its content. */
export const LOST_AND_FOUND = 'lost+found';

/**
 * Moves content; both filesystems are mounted, the partition not yet at its final place.
 * @param from folder on the parent filesystem
 * @param to where the partition is mounted for now
 * @param generation of the root filesystem
 */
export async function moveContent(from: string, to: string, generation: string): Promise<void> {
  const mark = join(to, MOVED_MARK);
  if ((await readMark(mark)) !== generation) {
    await empty(to);
    // The folder itself too: owner, permissions and attributes of the mount point are those of the partition's root.
    await runTool('cp', ['--archive', '--no-target-directory', '--one-file-system', from, to], {
      doing: `copying ${from} onto its partition`,
    });
    await runTool('sync', ['--file-system', to], { doing: `flushing the copy of ${from}` });
    await writeDurably(mark, generation);
  }
  await empty(from);
}

async function readMark(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name !== LOST_AND_FOUND) await rm(join(folder, name), { recursive: true, force: true });
  }
}
