/** Where images are copied to. */
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';

/** A place that takes an image: a registry's repository or a layout folder. Closed by who opened it. */
export interface ImageTarget {
  /** For messages, without credentials. */
  readonly name: string;

  /** Whether a blob is there already; one that another repository of the same place can share is taken from there. */
  has(blob: BlobDescriptor, signal?: AbortSignal): Promise<boolean>;

  /**
   * Takes a blob, and checks it against size and digest before it counts as there.
   * @param open opens its bytes, from the beginning each time
   */
  put(
    blob: BlobDescriptor,
    open: (signal?: AbortSignal) => AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void>;

  /** Takes a manifest, all of whose blobs are there: from now on it is found. */
  putManifest(manifest: ManifestBytes, tag: string | undefined, signal?: AbortSignal): Promise<void>;

  /** @returns the manifest with this tag, undefined where there is none */
  findManifest(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined>;

  close(): Promise<void>;
}
