/** Whether the table on a disk is the one that a manifest plans. */
import type { Manifest, ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { PartitionTable } from '../disk/partition-table.ts';
import { type DiskSeed, partitionUuid } from './uuids.ts';

/** GPT types: UEFI 2.10, table 5.7, and the Discoverable Partitions Specification (UAPI group), for x86-64. */
const TYPE_UUIDS: Readonly<Record<ManifestPartition['type'], string>> = {
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  xbootldr: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  usr: '8484680C-9521-48C6-9C11-B0720656F69E',
  home: '933AC7E1-2EB4-4F13-B844-0E14E2AEF915',
  srv: '3B8F8425-20E0-4F3B-907F-1A25A76F98E8',
  var: '4D21B016-B534-45C2-A9FB-5C16E091FD2D',
  tmp: '7EC6F557-3BC5-4ACA-B293-16EF5DF639D1',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  'linux-generic': '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
};

/**
 * Compares a table with the plan, every partition with its place, type, name and UUID.
 * @returns what differs, one line each; empty where the table is exactly the planned one of this install
 */
export function tableDifferences(
  table: PartitionTable | undefined,
  manifest: Manifest,
  seed: DiskSeed,
): string[] {
  if (table?.label !== 'gpt') return [`there is ${table ? `a ${table.label}` : 'no'} table instead of GPT`];
  const { partitions } = manifest.storage;
  const differences = partitions.flatMap((partition, index) => {
    const number = index + 1;
    const found = table.partitions.find((entry) => entry.number === number);
    if (!found) return [`partition ${number} (${partition.label}) is missing`];
    const expected = {
      offsetBytes: partition.offsetBytes,
      sizeBytes: partition.sizeBytes,
      type: TYPE_UUIDS[partition.type],
      name: partition.label,
      uuid: partitionUuid(seed, partition.label),
    };
    return Object.entries(expected)
      .filter(([field, value]) => found[field as keyof typeof expected] !== value)
      .map(([field, value]) => {
        const actual = found[field as keyof typeof expected];
        return `partition ${number} (${partition.label}): ${field} is ${actual}, planned ${value}`;
      });
  });
  const planned = partitions.length;
  const surplus = table.partitions.filter(({ number }) => number > planned);
  return [...differences, ...surplus.map(({ number }) => `partition ${number} is not planned`)];
}
