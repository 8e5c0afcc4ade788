/** systemd-repart's definitions of a manifest's partitions; see repart.d(5). Pure. */
import type { Manifest, ManifestPartition } from '../../manifest/schema/manifest.ts';
import { type DiskSeed, partitionUuid } from './uuids.ts';

/** One file of the definitions folder. */
export interface Definition {
  /** Names sort in the order of the partitions: repart lays them out in that order. */
  readonly fileName: string;
  readonly text: string;
}

/**
 * Each partition at its exact place: the size is fixed, and the padding behind it reaches to the next partition.
 * @param seed what the UUIDs are derived from
 */
export function partitionDefinitions(manifest: Manifest, seed: DiskSeed): Definition[] {
  const { partitions } = manifest.storage;
  return partitions.map((partition, index) => {
    const end = partition.offsetBytes + partition.sizeBytes;
    const padding = (partitions[index + 1]?.offsetBytes ?? end) - end;
    return {
      fileName: `${String(index + 1).padStart(2, '0')}-partition.conf`,
      text: definitionText(partition, padding, partitionUuid(seed, partition.label)),
    };
  });
}

function definitionText(partition: ManifestPartition, padding: number, uuid: string): string {
  const lines = [
    '[Partition]',
    `Type=${partition.type}`,
    // A percent sign begins a specifier in repart.d(5).
    `Label=${partition.label.replaceAll('%', '%%')}`,
    `UUID=${uuid}`,
    `SizeMinBytes=${partition.sizeBytes}`,
    `SizeMaxBytes=${partition.sizeBytes}`,
    `PaddingMinBytes=${padding}`,
    `PaddingMaxBytes=${padding}`,
    // The root filesystem is written from the image.
    ...(partition.type === 'root' ? [] : [`Format=${partition.filesystem}`]),
  ];
  return `${lines.join('\n')}\n`;
}
