/** What can be known to be wrong before anything is written. */
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { Disk } from '../disk/disk.ts';
import { failure } from '../failures.ts';

const MIB = 2 ** 20;

/** Kept free at both ends of the disk for the partition table and its copy, alignment included. */
const TABLE_BYTES = MIB;

/**
 * The smallest partition that systemd-repart makes of each filesystem: where a partition is smaller, it makes it
 * larger without a word (`minimal_size_by_fs_name` in the sources of systemd 257).
 */
const MINIMUM_BYTES: Partial<Record<ManifestPartition['filesystem'], number>> = {
  ext4: 32 * MIB,
  btrfs: 256 * MIB,
  xfs: 300 * MIB,
};

/**
 * Checks that the partitions can be made where the manifest puts them.
 * @throws failure `DiskTooSmall`, `StorageImpossible`
 */
export function checkPlan(partitions: readonly ManifestPartition[], disk: Disk): void {
  let end = TABLE_BYTES;
  for (const partition of partitions) {
    const { label, offsetBytes, sizeBytes, filesystem, type } = partition;
    const doing = `planning partition ${label} on ${disk.id}`;
    if (offsetBytes < end)
      throw failure('StorageImpossible', `${doing}: it begins at ${offsetBytes}, within what ends at ${end}`);
    const minimum = MINIMUM_BYTES[filesystem] ?? 0;
    if (type !== 'root' && sizeBytes < minimum)
      throw failure(
        'StorageImpossible',
        `${doing}: a ${filesystem} partition needs at least ${minimum / MIB} MiB, it has ${sizeBytes} bytes`,
      );
    end = offsetBytes + sizeBytes;
  }
  if (end + TABLE_BYTES > disk.sizeBytes)
    throw failure(
      'DiskTooSmall',
      `planning the partitions of ${disk.id}: they end at ${end}, with ${TABLE_BYTES} for the copy of the table; ` +
        `the disk has ${disk.sizeBytes} bytes`,
      { context: { neededBytes: end + TABLE_BYTES, diskBytes: disk.sizeBytes } },
    );
}
