/** Where the store keeps the archive of ESP content of an image. */
import { join } from 'node:path';
import type { StatePaths } from '../../host/state.ts';
import type { ImageRef } from '../contract.ts';

/** @returns path of the archive, an uncompressed tar */
export async function espArchivePath(paths: StatePaths, image: ImageRef): Promise<string> {
  return join(paths.store, 'blobs/sha256', image.espDigest.slice('sha256:'.length));
}
