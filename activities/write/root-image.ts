/** The image of the root filesystem in the store, and the partition that it belongs onto. */
import type { ImagePart } from '../../image/format/read-image.ts';
import { ROOT_PART } from '../../image/install-content.ts';
import type { ImageSource } from '../../image/source/source.ts';
import { ImageStore } from '../../image/store.ts';
import type { DiskStep, ImageRef } from '../contract.ts';
import { type Disk, openDisk, openPartition, rootPartition } from '../disk/disk.ts';
import { failure } from '../failures.ts';
import { requireOwnTable } from '../partition/own-table.ts';

/** The root filesystem of an image, with the source of its packs. */
export interface RootImage {
  readonly part: ImagePart;
  readonly source: ImageSource;
}

/**
 * Opens the image that was built for this install.
 * @param storeFolder folder of the store
 * @param use works with it; its source is closed afterwards
 * @throws failure `ImageMissing`, also where the store has another build of it; `ImageCorrupt`
 */
export async function withRootImage<T>(
  storeFolder: string,
  ref: ImageRef,
  use: (image: RootImage) => Promise<T>,
): Promise<T> {
  const doing = `looking for image ${ref.imageDigest} in ${storeFolder}`;
  const store = new ImageStore(storeFolder);
  const record = await store.find(ref.imageDigest);
  if (!record) throw failure('ImageMissing', `${doing}: it is not there, or not whole`);
  if (record.image.digest !== ref.rootDigest)
    throw failure('ImageMissing', `${doing}: another build of it is there`, {
      context: { expected: ref.rootDigest, found: record.image.digest },
    });
  const { image, source } = await store.open(record).catch((cause: unknown) => {
    throw failure(
      'ImageCorrupt',
      `${doing}: it is damaged: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  });
  try {
    const part = image.parts.find(({ name }) => name === ROOT_PART);
    if (!part) throw failure('ImageCorrupt', `${doing}: it has no part ${ROOT_PART}`);
    return await use({ part, source });
  } finally {
    await source.close();
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
