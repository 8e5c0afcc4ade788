/** Where an agent finds the blobs of images: in the store of its own host, or at a server that has them. */
import type { BlobDescriptor, ImageSource } from '../../image/source/source.ts';
import type { Digest } from '../../manifest/schema/common.ts';

/** Images by the digest of their manifest. */
export interface ImageLibrary {
  /** For messages. */
  readonly name: string;
  /**
   * An image, not read yet.
   * @returns its source, to be closed by the caller
   */
  open(image: Digest): ImageSource;
  /**
   * A blob as a file of this host, verified.
   * @param source of the image that it belongs to
   * @returns its path
   * @throws SourceError, AllSourcesFailed
   */
  file(source: ImageSource, blob: BlobDescriptor): Promise<string>;
}
