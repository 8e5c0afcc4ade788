/** The image of the root filesystem, and the partition that it belongs onto. */
import { type ImagePart, readImage } from '../../image/format/read-image.ts';
import type { ImageSource } from '../../image/source/source.ts';
import { ROOT_PART } from '../../store/install-content.ts';
import type { DiskStep, ImageRef } from '../contract.ts';
import { type Disk, openDisk, openPartition, rootPartition } from '../disk/disk.ts';
import { failure } from '../failures.ts';
import { imageFailure } from '../images/failures.ts';
import type { ImageLibrary } from '../images/library.ts';
import { requireOwnTable } from '../partition/own-table.ts';

/** The root filesystem of an image, with the source of its packs. */
export interface RootImage {
  readonly part: ImagePart;
  readonly source: ImageSource;
}

/**
 * Opens the image of this install.
 * @param use works with it; its source is closed afterwards
 * @throws failure `ImageMissing`, `ImageCorrupt`, `ImageUnavailable`
 */
export async function withRootImage<T>(
  images: ImageLibrary,
  ref: ImageRef,
  use: (image: RootImage) => Promise<T>,
): Promise<T> {
  const doing = `reading image ${ref.imageDigest} from ${images.name}`;
  const source = images.open(ref.rootDigest);
  try {
    const image = await readImage(source).catch((error: unknown) => {
      throw imageFailure(error, doing) ?? error;
    });
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
