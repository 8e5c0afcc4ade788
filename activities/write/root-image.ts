/** The image of the root filesystem in the store, and the partition that it belongs onto. */
import type { ChunkTable } from '../../image/chunk-table.ts';
import { ImageStore } from '../../image/store.ts';
import type { DiskStep, ImageRef } from '../contract.ts';
import { type Disk, openDisk, openPartition, rootPartition } from '../disk/disk.ts';
import { failure } from '../failures.ts';
import { requireOwnTable } from '../partition/own-table.ts';

/** An image that was found whole. */
export interface RootImage {
  /** The raw filesystem image. */
  readonly path: string;
  readonly table: ChunkTable;
}

/**
 * Finds the image that was built for this install.
 * @param storeFolder folder of the store
 * @throws failure `ImageMissing`, also where the store has another build of it; `ImageCorrupt`
 */
export async function findRootImage(storeFolder: string, image: ImageRef): Promise<RootImage> {
  const doing = `looking for image ${image.imageDigest} in ${storeFolder}`;
  const store = new ImageStore(storeFolder);
  const record = await store.find(image.imageDigest);
  if (!record) throw failure('ImageMissing', `${doing}: it is not there, or not whole`);
  if (record.rootTable.digest !== image.rootDigest)
    throw failure('ImageMissing', `${doing}: another build of it is there`, {
      context: { expected: image.rootDigest, found: record.rootTable.digest },
    });
  try {
    return { path: store.blobPath(record.root.digest), table: await store.rootTable(record) };
  } catch (cause) {
    throw failure('ImageCorrupt', `${doing}: its chunk table is damaged`, { cause });
  }
}

/** The root partition, open for this install. */
export interface RootTarget {
  readonly disk: Disk;
  readonly node: string;
  /** For messages: `root of wwn:0x5000c500a1b2c3d4`. */
  readonly name: string;
  readonly sizeBytes: number;
}

/**
 * Opens the partition that the root filesystem is on.
 * @throws failure `DiskChanged`, `DiskVanished`
 */
export async function openRoot(step: DiskStep): Promise<RootTarget> {
  const disk = await openDisk(step);
  await requireOwnTable(step, disk);
  const root = rootPartition(step);
  const node = await openPartition(step, disk, root);
  return { disk, node, name: `${root.label} of ${disk.id}`, sizeBytes: root.sizeBytes };
}
