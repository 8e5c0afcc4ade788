/** Whether what is on a disk was put there by the install that asks. The disk itself proves it, also after a power cut. */
import type { NotedDisk } from '../disk/head-note.ts';
import { readPartitionTable } from '../disk/partition-table.ts';
import { hasMarker } from './marker.ts';
import { type DiskSeed, partitionUuid } from './uuids.ts';

/**
 * True where the disk carries the mark of this install, or a partition table of its making, be it for an earlier answer
 * to how the disk is divided. Nothing on such a disk is anybody else's, so that it needs no consent to write it again.
 */
export async function isOwnDisk(disk: NotedDisk, seed: DiskSeed): Promise<boolean> {
  if (await hasMarker(disk, seed)) return true;
  const table = await readPartitionTable(disk.path);
  return (
    table !== undefined &&
    table.partitions.length > 0 &&
    table.partitions.every(({ uuid, name = '' }) => uuid === partitionUuid(seed, name))
  );
}
