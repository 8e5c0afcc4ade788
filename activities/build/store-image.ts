/** Putting the results of a build into the store. */
import type { Digest } from '../../manifest/schema/common.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import type { ImageRecord } from '../../store/image-record.ts';
import type { ImageStore } from '../../store/store.ts';
import { storeRoot } from '../../store/store-root.ts';
import type { Results } from './results.ts';

/**
 * Moves the files into the store, the record last: with it, the image is there.
 * @param folder on the store's filesystem, for the root filesystem while it is packed
 */
export async function storeImage(
  store: ImageStore,
  folder: string,
  { imageDigest, image, results, signal }: NewImage,
): Promise<ImageRecord> {
  const { files, packageCount } = results;
  const record: ImageRecord = {
    version: 3,
    imageDigest,
    ...(await storeRoot(store, {
      path: files.root,
      filesystem: image.rootFilesystem,
      attachments: {
        esp: await store.put(files.esp),
        files: await store.put(files.files),
        sbom: await store.put(files.sbom),
      },
      folder,
      signal,
    })),
    packageCount,
    createdAt: new Date().toISOString(),
  };
  signal.throwIfAborted();
  await store.commit(record);
  return record;
}

interface NewImage {
  readonly imageDigest: Digest;
  readonly image: ManifestImage;
  readonly results: Results;
  readonly signal: AbortSignal;
}
