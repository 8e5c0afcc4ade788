/** A root filesystem into the store, as an Iguana image of one part with what an install needs beside it. */
import { join } from 'node:path';
import { packImage } from '../image/pack/pack-image.ts';
import { readRaw } from '../image/pack/raw-input.ts';
import { blobPath } from '../image/transfer/layout-source.ts';
import { LayoutTarget } from '../image/transfer/layout-target.ts';
import type { ImageRecord } from './image-record.ts';
import { ATTACHMENT_NAMES, ROOT_PART } from './install-content.ts';
import type { ImageStore } from './store.ts';

/** Of zstd. What is built here is written here, often once: the time of a higher level would not come back. */
const LEVEL = 3;

/** What the store has of it already. */
export type StoredAttachments = Pick<ImageRecord, (typeof ATTACHMENT_NAMES)[number]>;

/** What is packed. */
export interface RootFile {
  /** The raw filesystem image. */
  readonly path: string;
  readonly filesystem: ImageRecord['rootFilesystem'];
  readonly attachments: StoredAttachments;
  /** On the store's filesystem, for the packs on their way; to be removed by the caller. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/** The image's share of a record. */
export type StoredRoot = StoredAttachments &
  Pick<ImageRecord, 'rootFilesystem' | 'image' | 'imageBlobs' | 'rootBytes' | 'dataBytes'>;

/**
 * Packs it, and moves the packs into the store.
 * @throws ImageIoError; with code ENOSPC where the disk is full
 */
export async function storeRoot(
  store: ImageStore,
  { path, filesystem, attachments, folder, signal }: RootFile,
): Promise<StoredRoot> {
  const layout = join(folder, 'image');
  const target = new LayoutTarget({ kind: 'layout', folder: layout });
  try {
    const { manifest, blobs, parts } = await packImage(target, {
      level: LEVEL,
      parts: [{ name: ROOT_PART, kind: 'partition', filesystem, input: await readRaw(path) }],
      attachments: ATTACHMENT_NAMES.map((name) => ({ name, ...attachments[name] })),
      signal,
    });
    for (const blob of [...blobs, manifest]) await store.put(blobPath(layout, blob), blob.digest);
    const [root] = parts;
    return {
      rootFilesystem: filesystem,
      image: manifest,
      imageBlobs: [...blobs],
      ...attachments,
      rootBytes: root?.sizeBytes ?? 0,
      dataBytes: root?.dataBytes ?? 0,
    };
  } finally {
    await target.close();
  }
}
