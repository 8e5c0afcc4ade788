/** Blobs of an image in the store, checked before they are used. */
import type { StatePaths } from '../../host/state.ts';
import { digestOfFile } from '../../image/digest.ts';
import { ImageStore } from '../../image/store.ts';
import type { ImageRef } from '../contract.ts';
import { failure } from '../failures.ts';

/**
 * @param which field of the reference that names the blob
 * @returns its path
 * @throws failure `ImageMissing`, `ImageCorrupt`
 */
export async function imageBlob(
  paths: StatePaths,
  image: ImageRef,
  which: 'espDigest' | 'filesDigest',
): Promise<string> {
  const digest = image[which];
  const path = new ImageStore(paths.store).blobPath(digest);
  let found: string;
  try {
    found = await digestOfFile(path);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
    throw failure('ImageMissing', `reading ${which} of image ${image.imageDigest}: ${path} is not there`, {
      cause,
    });
  }
  if (found !== digest) {
    throw failure('ImageCorrupt', `reading ${which} of image ${image.imageDigest}: ${path} is damaged`, {
      context: { expected: digest, found },
    });
  }
  return path;
}
