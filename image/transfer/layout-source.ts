/** An image in an OCI layout folder of this machine. */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../digest.ts';
import { errorCode } from '../io-error.ts';
import { checkDigest } from '../source/blob-read.ts';
import { NotFound, rangeTask, type Task, UnexpectedAnswer, WrongContent } from '../source/errors.ts';
import {
  chooseEntry,
  type IndexEntry,
  MAX_INDEX_BYTES,
  parseIndexJson,
  taggedEntry,
} from '../source/index-json.ts';
import { formatReference, type LayoutReference } from '../source/reference.ts';
import type { BlobDescriptor, ImageSource, ManifestBytes } from '../source/source.ts';
import { OCI_MANIFEST } from './oci-manifest.ts';

/** Where a blob lies in a layout folder. */
export const blobPath = (folder: string, { digest }: BlobDescriptor): string =>
  join(folder, 'blobs', digest.replace(':', '/'));

/** Reads from a folder. Files stay open until {@link close}. */
export class LayoutSource implements ImageSource {
  readonly name: string;
  readonly #reference: LayoutReference;
  readonly #files = new Map<string, Promise<FileHandle>>();

  constructor(reference: LayoutReference) {
    this.#reference = reference;
    this.name = formatReference(reference);
  }

  async manifest(): Promise<ManifestBytes> {
    const { tag, digest } = this.#reference;
    // Its name says where it lies: the store of images has no index.
    if (digest !== undefined && tag === undefined) return await this.#manifestAt(digest);
    const { task, entries } = await this.#index();
    return await this.#manifestOf(chooseEntry(task, entries, this.#reference));
  }

  async attached(tag: string): Promise<ManifestBytes | undefined> {
    const { entries } = await this.#index().catch((error: unknown) => {
      if (error instanceof NotFound && this.#reference.digest !== undefined) return { entries: [] };
      throw error;
    });
    const entry = taggedEntry(entries, tag);
    return entry && (await this.#manifestOf(entry));
  }

  async blob(blob: BlobDescriptor): Promise<Buffer> {
    const task: Task = { doing: `reading ${blob.digest}`, source: this.name, blob: blob.digest };
    const bytes = await this.#read(task, blob, 0, blob.sizeBytes);
    checkDigest(task, bytes, blob.digest);
    return bytes;
  }

  async range(blob: BlobDescriptor, offset: number, length: number): Promise<Buffer> {
    return await this.#read(rangeTask(this.name, blob.digest, offset, length), blob, offset, length);
  }

  reject(): boolean {
    return false;
  }

  async close(): Promise<void> {
    const files = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    await Promise.all(files.map((file) => (file.status === 'fulfilled' ? file.value.close() : undefined)));
  }

  async #index(): Promise<{ task: Task; entries: readonly IndexEntry[] }> {
    const task: Task = { doing: 'reading index.json', source: this.name };
    const path = join(this.#reference.folder, 'index.json');
    const { size } = await stat(path).catch((cause: unknown) => Promise.reject(fileFailure(task, cause)));
    if (size > MAX_INDEX_BYTES)
      throw new UnexpectedAnswer(task, `index.json has ${size} bytes, which is too much`);
    return { task, entries: parseIndexJson(task, await readFile(path)) };
  }

  async #manifestAt(digest: Digest): Promise<ManifestBytes> {
    const task: Task = { doing: `reading the manifest ${digest}`, source: this.name, blob: digest };
    const path = blobPath(this.#reference.folder, { digest, sizeBytes: 0 });
    const { size } = await stat(path).catch((cause: unknown) => Promise.reject(fileFailure(task, cause)));
    if (size > MAX_INDEX_BYTES) throw new UnexpectedAnswer(task, `it has ${size} bytes, which is too much`);
    return { bytes: await this.blob({ digest, sizeBytes: size }), digest, mediaType: OCI_MANIFEST };
  }

  async #manifestOf({ digest, size, mediaType }: IndexEntry): Promise<ManifestBytes> {
    return { bytes: await this.blob({ digest, sizeBytes: size }), digest, mediaType };
  }

  async #read(task: Task, blob: BlobDescriptor, offset: number, length: number): Promise<Buffer> {
    const attempt = <T>(result: Promise<T>): Promise<T> =>
      result.catch((cause: unknown) => Promise.reject(fileFailure(task, cause)));
    const file = await attempt(this.#open(blob));
    const { size } = await attempt(file.stat());
    if (size !== blob.sizeBytes) {
      throw new WrongContent(task, 'the file has another size', {
        expected: `${blob.sizeBytes} bytes`,
        found: `${size} bytes`,
      });
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await attempt(file.read(bytes, at, length - at, offset + at));
      if (bytesRead === 0) {
        throw new WrongContent(task, 'the file ended', { expected: `${length} bytes`, found: `${at} bytes` });
      }
      at += bytesRead;
    }
    return bytes;
  }

  #open(blob: BlobDescriptor): Promise<FileHandle> {
    const known = this.#files.get(blob.digest);
    if (known !== undefined) return known;
    const opened = open(blobPath(this.#reference.folder, blob), 'r');
    this.#files.set(blob.digest, opened);
    return opened;
  }
}

function fileFailure(task: Task, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return errorCode(cause) === 'ENOENT'
    ? new NotFound(task, why, { cause })
    : new UnexpectedAnswer(task, why, { cause });
}
