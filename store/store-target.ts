/** The store as a place that an image is copied to: its blobs, without names of its own. */
import { createHash } from 'node:crypto';
import { open, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '../image/digest.ts';
import { errorCode, ImageIoError } from '../image/io-error.ts';
import { type Task, WrongContent } from '../image/source/errors.ts';
import type { BlobDescriptor, ManifestBytes } from '../image/source/source.ts';
import { onePiece } from '../image/transfer/blob-stream.ts';
import type { ImageTarget } from '../image/transfer/target.ts';
import type { ImageStore } from './store.ts';

/** Takes blobs into a store. The image is there when the caller has committed its record. */
export class StoreTarget implements ImageTarget {
  readonly name: string;
  readonly #store: ImageStore;
  readonly #folder: string;

  /** @param folder on the store's filesystem, for blobs on their way; to be made and removed by the caller */
  constructor(store: ImageStore, folder: string) {
    this.name = 'the store';
    this.#store = store;
    this.#folder = folder;
  }

  async has({ digest, sizeBytes }: BlobDescriptor): Promise<boolean> {
    const path = this.#store.blobPath(digest);
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    // Read, not believed: a blob that was damaged on the disk is taken anew.
    if (size !== sizeBytes || (await digestOfFile(path)) !== digest) return false;
    // The collector of garbage must not take what an image that comes has just relied on.
    await utimes(path, new Date(), new Date());
    return true;
  }

  async put(
    blob: BlobDescriptor,
    openBytes: (signal?: AbortSignal) => AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const path = join(this.#folder, `${blob.digest.slice('sha256:'.length)}.${crypto.randomUUID()}`);
    try {
      const found = await write(path, openBytes(signal));
      if (found.digest !== blob.digest || found.sizeBytes !== blob.sizeBytes) {
        const task: Task = {
          doing: `storing ${blob.digest}`,
          direction: 'to',
          source: this.name,
          blob: blob.digest,
        };
        throw new WrongContent(task, 'other bytes came', {
          expected: `${blob.digest} of ${blob.sizeBytes} bytes`,
          found: `${found.digest} of ${found.sizeBytes} bytes`,
        });
      }
      await this.#store.put(path, blob.digest);
    } catch (error) {
      throw errorCode(error) === undefined ? error : new ImageIoError(`storing ${blob.digest}`, error);
    } finally {
      await rm(path, { force: true });
    }
  }

  async putManifest({ bytes, digest }: ManifestBytes): Promise<void> {
    await this.put({ digest, sizeBytes: bytes.length }, () => onePiece(bytes));
  }

  async findManifest(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    // Nothing stays open between two calls.
  }
}

async function write(path: string, pieces: AsyncIterable<Buffer>): Promise<BlobDescriptor> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'wx');
  try {
    for await (const piece of pieces) {
      hash.update(piece);
      sizeBytes += piece.length;
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}
