/** The last look before an install writes into a partition. */
import type { DiskStep } from '../contract.ts';
import type { Disk } from '../disk/disk.ts';
import { readPartitionTable } from '../disk/partition-table.ts';
import { failure } from '../failures.ts';
import { tableDifferences } from './table-check.ts';

/**
 * Makes sure that the table on the disk is the one that this install made: a disk of the same identity may have been
 * partitioned by somebody else meanwhile, or a disk image replaced.
 * @throws failure `DiskChanged`
 */
export async function requireOwnTable({ installId, manifest }: DiskStep, disk: Disk): Promise<void> {
  const table = await readPartitionTable(disk.path);
  const differences = tableDifferences(table, manifest, { installId, diskId: disk.id });
  if (differences.length > 0)
    throw failure(
      'DiskChanged',
      `opening ${disk.id}: its partitions are not this install's: ${differences[0]}`,
      {
        context: { differences },
      },
    );
}
