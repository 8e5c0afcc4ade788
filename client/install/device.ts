/** The identity of a device that a person named by a path. */
import { basename } from 'node:path';
import { diskId, listDisks } from '../../host/disk-identity.ts';
import { usageError } from '../errors.ts';

/**
 * The identity under which a disk is kept in facts and manifests; nodes such as /dev/sda change between two boots.
 * @param node the device itself, with links resolved
 * @throws CommandError (usage) where it is no whole disk
 */
export async function deviceIdentity(node: string): Promise<string> {
  const kernelName = basename(node);
  const disks = await listDisks();
  const disk = disks.find((candidate) => candidate.kernelName === kernelName);
  if (!disk) {
    throw usageError(`${node} is not a whole disk that can be installed onto`, {
      remedy: `The disks of this host: ${disks.map((other) => `/dev/${other.kernelName}`).join(', ') || 'none'}.`,
    });
  }
  return diskId(disk, disks, await placeOf(kernelName));
}

/** Where a disk is plugged in, by udev's own rule, as the probe finds it. */
async function placeOf(kernelName: string): Promise<string | undefined> {
  // A bus without a stable order has no such name: exit status 1, and nothing on standard output.
  const { execa } = await import('execa');
  const { stdout = '' } = await execa('udevadm', ['test-builtin', 'path_id', `/sys/block/${kernelName}`], {
    reject: false,
  });
  return /^ID_PATH=(.+)$/m.exec(stdout)?.[1];
}
