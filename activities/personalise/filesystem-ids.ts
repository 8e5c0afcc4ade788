/**
 * UUIDs of filesystems. The root filesystem comes from the image with the image's UUID and gets the machine's own here;
 * the others are made on the machine, with UUIDs that the partition step derives from the install.
 */
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import { runTool } from '../disk/command.ts';
import { mountFilesystem, unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { derivedUuid } from '../partition/uuids.ts';

/** Superblock flags of btrfs while its fsid is being changed (BTRFS_SUPER_FLAG_CHANGING_FSID and …_V2). */
const BTRFS_CHANGING = /CHANGING_FSID/;
/** blkid(8): nothing was found. */
const BLKID_NOTHING = 2;
/** e2fsck(8): errors were corrected. */
const E2FSCK_CORRECTED = 1;

/**
 * The UUID of the filesystem on a device, from the device itself and not from a cache.
 * @returns for vfat the serial number, `ABCD-1234`
 * @throws failure `PersonaliseFailed` where there is no filesystem
 */
export async function readUuid(device: string): Promise<string> {
  const { stdout } = await runTool('blkid', ['-p', '-s', 'UUID', '-o', 'value', device], {
    doing: `reading the UUID of ${device}`,
    accept: [BLKID_NOTHING],
  });
  const uuid = stdout.trim();
  if (uuid === '')
    throw failure('PersonaliseFailed', `reading the UUID of ${device}: there is no filesystem`);
  return uuid;
}

/**
 * Gives the root filesystem its UUID; it must not be mounted. A kill at any point leaves a filesystem that the
 * next call finishes.
 * @returns the UUID
 */
export async function setUuid(
  device: string,
  partition: ManifestPartition,
  installId: string,
): Promise<string> {
  const uuid = derivedUuid(installId, 'filesystem', partition.label);
  const doing = `setting the UUID of ${partition.filesystem} on ${partition.label} (${device})`;
  const run = (tool: string, args: readonly string[], accept: readonly number[] = []) =>
    runTool(tool, args, { doing, accept });
  switch (partition.filesystem) {
    case 'ext4':
      if ((await readUuid(device)) === uuid) break;
      // tune2fs refuses a filesystem that was mounted since its last check.
      await run('e2fsck', ['-f', '-p', device], [E2FSCK_CORRECTED]);
      // With the seed of the checksums in the superblock, a new UUID changes only superblocks; without, tune2fs would
      // rewrite every checksum, and a kill halfway would leave a filesystem that is half the one and half the other.
      if (await ext4LacksSeed(device)) await run('tune2fs', ['-O', 'metadata_csum_seed', device]);
      await run('tune2fs', ['-U', uuid, device]);
      break;
    case 'xfs':
      // A kill of xfs_admin leaves copies of the superblock that still have the old UUID.
      if ((await xfsUuids(device)).every((found) => found === uuid)) break;
      // xfs_admin refuses a log that is not empty; mounting empties it. Other disks may have the image's UUID still.
      await mountFilesystem({ installId, device, filesystem: 'xfs', where: 'log', options: ['nouuid'] });
      await unmountAll(installId);
      await run('xfs_admin', ['-U', uuid, device]);
      break;
    case 'btrfs':
      if ((await readUuid(device)) === uuid && !(await btrfsIsChanging(device))) break;
      // -M changes the superblock only (metadata_uuid); -U would rewrite all metadata.
      await run('btrfstune', ['-f', '-M', uuid, device]);
      break;
    default:
      throw failure('PersonaliseFailed', `${doing}: a root filesystem is ext4, xfs or btrfs`);
  }
  return uuid;
}

async function ext4LacksSeed(device: string): Promise<boolean> {
  const doing = `reading the superblock of ${device}`;
  const { stdout } = await runTool('dumpe2fs', ['-h', device], { doing });
  const features = /^Filesystem features:(.*)$/m.exec(stdout)?.[1]?.trim().split(/\s+/) ?? [];
  return features.includes('metadata_csum') && !features.includes('metadata_csum_seed');
}

/** @returns the UUID in each copy of the superblock, one for each allocation group */
async function xfsUuids(device: string): Promise<string[]> {
  const doing = `reading the superblocks of ${device}`;
  const query = async (commands: readonly string[]): Promise<string[]> => {
    const args = ['-r', ...commands.flatMap((command) => ['-c', command]), device];
    return (await runTool('xfs_db', args, { doing })).stdout.split('\n');
  };
  const [count = ''] = await query(['sb 0', 'print agcount']);
  const groups = Array.from({ length: Number(count.split('=')[1]) }, (_, group) => group);
  const lines = await query(groups.flatMap((group) => [`sb ${group}`, 'print uuid']));
  return lines.map((line) => line.split('=')[1]?.trim() ?? '');
}

async function btrfsIsChanging(device: string): Promise<boolean> {
  const doing = `reading the superblock of ${device}`;
  const { stdout } = await runTool('btrfs', ['inspect-internal', 'dump-super', device], { doing });
  return BTRFS_CHANGING.test(stdout);
}
