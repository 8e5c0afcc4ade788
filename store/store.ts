/**
 * The content-addressed store of images: blobs under the digest of their bytes, as in an OCI layout folder, and for each image
 * a record that names its blobs. The record is written last, so what `find` finds is whole.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOfFile } from '../image/digest.ts';
import { type Image, readImage } from '../image/format/read-image.ts';
import { errorCode, ImageIoError } from '../image/io-error.ts';
import type { ImageSource } from '../image/source/source.ts';
import { LayoutSource } from '../image/transfer/layout-source.ts';
import { OCI_MANIFEST } from '../image/transfer/oci-manifest.ts';
import { type Blob, blobsOf, type ImageRecord, imageRecordSchema } from './image-record.ts';

/** What a collection of garbage removed, or would remove. */
export interface Garbage {
  readonly path: string;
  readonly bytes: number;
}

/** What {@link ImageStore.collectGarbage} keeps and does. */
export interface CollectOptions {
  /** Which images stay; default all. */
  readonly keep?: (record: ImageRecord) => boolean;
  /** Reads every blob and drops images with a damaged one; default true, about a second for a gigabyte. */
  readonly verify?: boolean;
  /** Only tells; default false. */
  readonly dryRun?: boolean;
}

/** A file being written by somebody is not garbage before it is a day old. */
const STALE_MS = 24 * 3600 * 1000;

const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);

/** An image of the store, and its source, from which its packs are read. */
export interface OpenImage {
  readonly image: Image;
  /** To be closed by who opened it. */
  readonly source: ImageSource;
}

/** A store in a folder. Any number of processes may use it at once. */
export class ImageStore {
  readonly #folder: string;
  readonly #blobs: string;
  readonly #images: string;
  /** For work on a blob that is to be put: on the same filesystem, so that putting is a rename. */
  readonly workFolder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#blobs = join(folder, 'blobs/sha256');
    this.#images = join(folder, 'images');
    this.workFolder = join(folder, 'work');
  }

  /** Makes the folders. */
  async prepare(): Promise<void> {
    for (const folder of [this.#blobs, this.#images, this.workFolder])
      await mkdir(folder, { recursive: true });
  }

  /** @returns where a blob is, or would be */
  blobPath(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  /**
   * The record of an image all of whose blobs are there with their sizes.
   * @returns undefined where it is not in the store, or not whole
   */
  async find(imageDigest: Digest): Promise<ImageRecord | undefined> {
    const record = await this.#read(join(this.#images, `${hexOf(imageDigest)}.json`));
    return record && (await this.#isWhole(record)) ? record : undefined;
  }

  /** All records, the newest first. */
  async list(): Promise<ImageRecord[]> {
    const names = await readdir(this.#images).catch(undefinedIfMissing);
    const records = await Promise.all((names ?? []).map((name) => this.#read(join(this.#images, name))));
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  /**
   * Reads the image that holds the root filesystem, all but its packs.
   * @throws SourceError for blobs that are missing or damaged; BadImage for an image that breaks the format
   */
  async open({ image: { digest, sizeBytes } }: ImageRecord): Promise<OpenImage> {
    const source = new LayoutSource({ kind: 'layout', folder: this.#folder });
    try {
      const bytes = await source.blob({ digest, sizeBytes });
      const image = await readImage(source, { manifest: { bytes, digest, mediaType: OCI_MANIFEST } });
      return { image, source };
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /**
   * Moves a file into the store; it is flushed before it gets its name.
   * @param path on the filesystem of the store: below `workFolder`
   * @param known its digest, where the caller has read it already
   * @throws ImageIoError; with code ENOSPC where the disk is full
   */
  async put(path: string, known?: Digest): Promise<Blob> {
    try {
      const digest = known ?? (await digestOfFile(path));
      const file = await open(path, 'r+');
      try {
        // Its age is that of its latest put: the collector must not take what a build has just relied on.
        await file.utimes(new Date(), new Date());
        await file.sync();
        const { size: sizeBytes } = await file.stat();
        await rename(path, this.blobPath(digest));
        await syncFolder(this.#blobs);
        return { digest, sizeBytes };
      } finally {
        await file.close();
      }
    } catch (error) {
      throw new ImageIoError(`storing ${path}`, error);
    }
  }

  /**
   * Writes the record of an image whose blobs are all there.
   * @throws ImageIoError; with code ENOSPC where the disk is full
   */
  async commit(record: ImageRecord): Promise<void> {
    imageRecordSchema.parse(record);
    const path = join(this.#images, `${hexOf(record.imageDigest)}.json`);
    const temporary = join(this.workFolder, `${hexOf(record.imageDigest)}.${crypto.randomUUID()}.json`);
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncFolder(this.#images);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new ImageIoError(`writing the image record ${path}`, error);
    }
  }

  /** Forgets an image; its blobs go with the next collection. */
  async remove(imageDigest: Digest): Promise<void> {
    await rm(join(this.#images, `${hexOf(imageDigest)}.json`), { force: true });
  }

  /**
   * Removes images that are not to be kept or not whole, blobs that no record names, and work that nobody goes on with.
   * @returns what was, or would be, removed
   */
  async collectGarbage(options: CollectOptions = {}): Promise<Garbage[]> {
    const { keep = () => true, verify = true, dryRun = false } = options;
    const used = new Set<string>();
    /** When the image that needed a blob was complete: what was put later is needed by a build that runs now. */
    const released = new Map<string, number>();
    const garbage: Garbage[] = [];
    for (const record of await this.list()) {
      const names = blobsOf(record).map(({ digest }) => hexOf(digest));
      if (keep(record) && (await this.#isWhole(record)) && (!verify || (await this.#isUndamaged(record)))) {
        for (const name of names) used.add(name);
        continue;
      }
      garbage.push({ path: join(this.#images, `${hexOf(record.imageDigest)}.json`), bytes: 0 });
      const completed = Date.parse(record.createdAt);
      for (const name of names) released.set(name, Math.max(completed, released.get(name) ?? 0));
    }
    const now = Date.now();
    garbage.push(
      ...(await this.#files(this.#blobs, (name, changedMs) => {
        const isReleased = changedMs <= (released.get(name) ?? 0);
        return !used.has(name) && (isReleased || now - changedMs > STALE_MS);
      })),
      ...(await this.#files(this.workFolder, (_, changedMs) => now - changedMs > STALE_MS)),
    );
    if (!dryRun) for (const { path } of garbage) await rm(path, { recursive: true, force: true });
    return garbage;
  }

  async #isWhole(record: ImageRecord): Promise<boolean> {
    for (const { digest, sizeBytes } of blobsOf(record)) {
      const found = await stat(this.blobPath(digest)).catch(undefinedIfMissing);
      if (found?.size !== sizeBytes) return false;
    }
    return true;
  }

  async #isUndamaged(record: ImageRecord): Promise<boolean> {
    for (const { digest } of blobsOf(record))
      if ((await digestOfFile(this.blobPath(digest)).catch(undefinedIfMissing)) !== digest) return false;
    return true;
  }

  async #files(folder: string, isGarbage: (name: string, changedMs: number) => boolean): Promise<Garbage[]> {
    const found: Garbage[] = [];
    for (const name of (await readdir(folder).catch(undefinedIfMissing)) ?? []) {
      const path = join(folder, name);
      const info = await stat(path).catch(undefinedIfMissing);
      if (info && isGarbage(name, info.mtimeMs)) {
        found.push({ path, bytes: info.blocks * 512 });
      }
    }
    return found;
  }

  /** @returns undefined where there is none, or it is not a record of this version: then the image is built again */
  async #read(path: string): Promise<ImageRecord | undefined> {
    const text = await readFile(path, 'utf8').catch(undefinedIfMissing);
    if (text === undefined) return undefined;
    try {
      return imageRecordSchema.safeParse(JSON.parse(text)).data;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined;
  throw error;
}

/** A new name lasts when its folder is on the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
