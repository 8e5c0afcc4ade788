/** The contract between those who need an image's bytes and the places that have them. */
import type { Digest } from '../digest.ts';

/** A blob as a descriptor names it. */
export interface BlobDescriptor {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** How a range is read. */
export interface RangeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly allocate?: Allocate | undefined;
}

/** A manifest's own bytes. */
export interface ManifestBytes {
  readonly bytes: Buffer;
  /** SHA-256 of `bytes`. */
  readonly digest: Digest;
  /** As the place says it, or as the manifest itself does where the place says nothing. */
  readonly mediaType: string;
}

/** Gives memory of exactly this many bytes. */
export type Allocate = (bytes: number) => Buffer;

/** Where the blobs of one image are read from. */
export interface ImageSource {
  /** For messages: the reference, without credentials. */
  readonly name: string;

  /** The manifest's own bytes, resolved from tag or digest; at most 4 MiB; digest checked where the reference has one. */
  manifest(signal?: AbortSignal): Promise<ManifestBytes>;

  /**
   * Another manifest at the same place: a signature lies beside its image under a tag made of the image's digest.
   * @returns undefined where the place surely has none
   */
  attached(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined>;

  /** A whole blob, verified against its size and digest. The caller bounds the size: it is held in memory. */
  blob(descriptor: BlobDescriptor, signal?: AbortSignal): Promise<Buffer>;

  /**
   * Bytes of a blob, not verified (chunks are, by the table); exactly `length` of them or an error.
   * @param options `allocate`: whose memory is used where the place can choose; what fails does not give it back
   */
  range(blob: BlobDescriptor, offset: number, length: number, options?: RangeOptions): Promise<Buffer>;

  /**
   * Says that bytes which {@link range} gave were wrong: another place is asked for them the next time.
   * @returns false where there is no other place
   */
  reject(blob: BlobDescriptor, offset: number, length: number): boolean;

  close(): Promise<void>;
}
