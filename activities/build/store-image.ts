/** Putting the results of a build into the store. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataBytes, encodeChunkTable } from '../../image/chunk-table.ts';
import { describeImage } from '../../image/chunker.ts';
import type { ImageRecord, ImageStore } from '../../image/store.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import type { Results } from './results.ts';

/**
 * Moves the files into the store, the record last: with it, the image is there.
 * @param folder on the store's filesystem, for the chunk table
 */
export async function storeImage(
  store: ImageStore,
  folder: string,
  { imageDigest, image, results, signal }: NewImage,
): Promise<ImageRecord> {
  const { files, packageCount } = results;
  const { table, digest } = await describeImage(files.root, signal);
  const rootTable = join(folder, 'root.json');
  await writeFile(rootTable, encodeChunkTable(table));
  const record: ImageRecord = {
    version: 1,
    imageDigest,
    rootFilesystem: image.rootFilesystem,
    root: await store.put(files.root, digest),
    rootTable: await store.put(rootTable),
    dataBytes: dataBytes(table),
    esp: await store.put(files.esp),
    files: await store.put(files.files),
    sbom: await store.put(files.sbom),
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
