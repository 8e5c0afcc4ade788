/** Digests of packs, from ranges of them in whatever order they come. */
import { createHash, type Hash } from 'node:crypto';
import type { Digest } from '../digest.ts';
import { BadImage } from '../format/errors.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';

/** Read at once of what no range had. */
const PIECE_BYTES = 4 * 2 ** 20;

interface Progress {
  readonly pack: BlobDescriptor;
  readonly hash: Hash;
  /** Bytes from the start that are hashed. */
  hashed: number;
}

/** Follows each pack from its start: images that were packed in the order of the disk are read only once. */
export class PackHashes {
  readonly #packs: ReadonlyMap<Digest, Progress>;
  readonly #onProgress: (hashedBytes: number) => void;
  #hashedBytes = 0;

  /** @param onProgress told the bytes of all packs that are hashed */
  constructor(packs: readonly BlobDescriptor[], onProgress: (hashedBytes: number) => void) {
    this.#packs = new Map(
      packs.map((pack) => [pack.digest, { pack, hash: createHash('sha256'), hashed: 0 }] as const),
    );
    this.#onProgress = onProgress;
  }

  /** Takes what continues the pack; the rest is read again at the end. */
  add(digest: Digest, offset: number, bytes: Uint8Array): void {
    const progress = this.#packs.get(digest);
    if (!progress || offset > progress.hashed || offset + bytes.length <= progress.hashed) return;
    const next = bytes.subarray(progress.hashed - offset);
    progress.hash.update(next);
    progress.hashed += next.length;
    this.#hashedBytes += next.length;
    this.#onProgress(this.#hashedBytes);
  }

  /**
   * Reads what has not come, and compares.
   * @returns bytes of all packs
   * @throws BadImage; the source's errors
   */
  async finish(source: ImageSource, signal?: AbortSignal): Promise<number> {
    for (const progress of this.#packs.values()) {
      const { pack, hash } = progress;
      while (progress.hashed < pack.sizeBytes) {
        const at = progress.hashed;
        const length = Math.min(PIECE_BYTES, pack.sizeBytes - at);
        this.add(pack.digest, at, await source.range(pack, at, length, { signal }));
      }
      const found = `sha256:${hash.digest('hex')}`;
      if (found !== pack.digest)
        throw new BadImage(`verifying ${source.name}`, 'a pack has other bytes', {
          expected: pack.digest,
          found,
        });
    }
    return this.#hashedBytes;
  }
}
