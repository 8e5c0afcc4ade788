/** Facts of a disk that is a file. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DiskFacts } from '../../manifest/schema/facts.ts';
import { diskContents } from '../disk/contents.ts';
import { diskHolders } from '../disk/holders.ts';
import { checkImageFile } from '../disk/image-file.ts';
import { deviceNumber, findLoopDevices } from '../disk/loop.ts';

/** What a loop device has. */
const SECTOR_BYTES = 512;

/**
 * Facts of a disk image. Where the file does not exist they are those of the empty disk that it will be: probing
 * makes nothing.
 * @throws failure `DiskChanged` where it is something else than a file of `sizeBytes`
 */
export async function imageFacts(path: string, sizeBytes: number): Promise<DiskFacts> {
  const exists = (await checkImageFile(path, sizeBytes)) !== undefined;
  return {
    id: `file:${path}`,
    sizeBytes,
    logicalSectorBytes: SECTOR_BYTES,
    physicalSectorBytes: SECTOR_BYTES,
    transport: 'file',
    rotational: false,
    removable: false,
    readOnly: false,
    installMedium: false,
    contents: exists ? await diskContents(path, sizeBytes) : [],
    holders: exists ? await imageHolders(path) : [],
  };
}

/** Users of the image through a loop device, and programs that hold a lock on it: a virtual machine that runs from it. */
async function imageHolders(path: string): Promise<string[]> {
  const holders = new Set<string>();
  for (const loop of await findLoopDevices(path))
    for (const holder of await diskHolders(basename(loop))) holders.add(holder);
  const { dev, ino } = await stat(path);
  if (isLocked(await readFile('/proc/locks', 'utf8'), deviceNumber(dev), ino)) holders.add('locked');
  return [...holders].sort();
}

/**
 * Whether anybody holds a lock on a file. QEMU locks the images of its disks.
 * @param locks content of /proc/locks: the file is the field of hexadecimal major:minor and decimal inode
 * @param device `major:minor` in decimal
 */
export function isLocked(locks: string, device: string, inode: number): boolean {
  const [major = '', minor = ''] = device
    .split(':')
    .map((number) => Number(number).toString(16).padStart(2, '0'));
  return locks.includes(` ${major}:${minor}:${inode} `);
}
