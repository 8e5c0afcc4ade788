/**
 * Making reads come from the disk.
 *
 * What was written may be read from memory in three places, and each is emptied:
 * - the pages of files and folders of a mounted filesystem: they belong to the mount and are gone with it, so nothing
 *   may be mounted now, and what is mounted afterwards starts with none;
 * - the pages of the block device, which filesystems read their structures through: BLKFLSBUF writes them back and
 *   drops them;
 * - behind a loop device, the pages of the image file: dd(1) drops them (POSIX_FADV_DONTNEED) after a sync(1), because
 *   only clean pages are dropped.
 * What the disk itself caches nobody outside of it can drop.
 */
import type { Target } from '../contract.ts';
import { runTool } from '../disk/command.ts';

/**
 * @param devices nodes of the partitions and of the whole disk; none is mounted
 * @param name of the disk, for messages
 */
export async function dropCaches(target: Target, devices: readonly string[], name: string): Promise<void> {
  const doing = `emptying the caches of ${name}`;
  for (const device of devices) await runTool('blockdev', ['--flushbufs', device], { doing });
  if (target.kind !== 'file') return;
  await runTool('sync', [target.path], { doing });
  await runTool('dd', [`if=${target.path}`, 'iflag=nocache', 'count=0', 'status=none'], { doing });
}
