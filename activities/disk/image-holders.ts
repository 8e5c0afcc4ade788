/** Who uses a disk image now. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { diskHolders } from './holders.ts';
import { deviceNumber, findLoopDevices } from './loop.ts';

/** Users of the image through a loop device, and programs that hold a lock on it: a virtual machine that runs from it. */
export async function imageHolders(path: string): Promise<string[]> {
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
