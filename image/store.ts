/**
 * The content-addressed store of images: blobs under the digest of their bytes, and for each image a record that names
 * its blobs. The record is written last, so what `find` finds is whole.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { type ChunkTable, decodeChunkTable } from './chunk-table.ts';
import { type Digest, digestOfFile } from './digest.ts';

const digestSchema = z.templateLiteral(['sha256:', z.string().regex(/^[0-9a-f]{64}$/)]);
const blobSchema = z.strictObject({ digest: digestSchema, sizeBytes: z.number().int().nonnegative() });

/** What the store knows of an image. */
const imageRecordSchema = z.strictObject({
  version: z.literal(1),
  /** Under which it is found: digest of the image part of the manifest. */
  imageDigest: digestSchema,
  rootFilesystem: z.enum(['ext4', 'xfs', 'btrfs']),
  /** The raw filesystem image, sparse. */
  root: blobSchema,
  /** Its chunk table. */
  rootTable: blobSchema,
  /** Bytes of chunks that are not all zero. */
  dataBytes: z.number().int().nonnegative(),
  /** tar of what goes onto the ESP. */
  esp: blobSchema,
  /** List of all files, see `file-list.ts`. */
  files: blobSchema,
  /** CycloneDX. */
  sbom: blobSchema,
  packageCount: z.number().int().nonnegative(),
  /** ISO 8601. */
  createdAt: z.string(),
});

/** @see imageRecordSchema */
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** A blob by digest and size. */
export type Blob = z.infer<typeof blobSchema>;

/** What a collection of garbage removed, or would remove. */
export interface Garbage {
  readonly path: string;
  readonly bytes: number;
}

/** A file being written by somebody is not garbage before it is a day old. */
const STALE_MS = 24 * 3600 * 1000;

const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);
const BLOB_KEYS = ['root', 'rootTable', 'esp', 'files', 'sbom'] as const;

/** A store in a folder. Any number of processes may use it at once. */
export class ImageStore {
  readonly #blobs: string;
  readonly #images: string;
  /** For work on a blob that is to be put: on the same filesystem, so that putting is a rename. */
  readonly workFolder: string;

  constructor(folder: string) {
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
    if (!record) return undefined;
    for (const key of BLOB_KEYS) {
      const found = await stat(this.blobPath(record[key].digest)).catch(undefinedIfMissing);
      if (found?.size !== record[key].sizeBytes) return undefined;
    }
    return record;
  }

  /** All records, the newest first. */
  async list(): Promise<ImageRecord[]> {
    const names = await readdir(this.#images).catch(undefinedIfMissing);
    const records = await Promise.all((names ?? []).map((name) => this.#read(join(this.#images, name))));
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  /** The chunk table of an image, checked against its digest. */
  async rootTable(record: ImageRecord): Promise<ChunkTable> {
    return decodeChunkTable(
      await readFile(this.blobPath(record.rootTable.digest), 'utf8'),
      record.rootTable.digest,
    );
  }

  /**
   * Moves a file into the store; it is flushed before it gets its name.
   * @param path on the filesystem of the store: below `workFolder`
   */
  async put(path: string): Promise<Blob> {
    const digest = await digestOfFile(path);
    const file = await open(path, 'r+');
    try {
      await file.sync();
      const { size: sizeBytes } = await file.stat();
      await rename(path, this.blobPath(digest));
      return { digest, sizeBytes };
    } finally {
      await file.close();
    }
  }

  /** Writes the record of an image whose blobs are all there. */
  async commit(record: ImageRecord): Promise<void> {
    imageRecordSchema.parse(record);
    const temporary = join(this.workFolder, `${hexOf(record.imageDigest)}.${process.pid}.json`);
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.#images, `${hexOf(record.imageDigest)}.json`));
  }

  /** Forgets an image; its blobs go with the next collection. */
  async remove(imageDigest: Digest): Promise<void> {
    await rm(join(this.#images, `${hexOf(imageDigest)}.json`), { force: true });
  }

  /**
   * Removes blobs that no record names, records whose blobs are missing, and work that nobody goes on with.
   * @param options `dryRun` only tells; `keep` says which images stay, default all
   */
  async collectGarbage(
    options: { dryRun?: boolean; keep?: (record: ImageRecord) => boolean } = {},
  ): Promise<Garbage[]> {
    const keep = options.keep ?? (() => true);
    const used = new Set<string>();
    const garbage: Garbage[] = [];
    for (const record of await this.list()) {
      const whole = await this.find(record.imageDigest);
      if (whole && keep(record)) for (const key of BLOB_KEYS) used.add(hexOf(record[key].digest));
      else garbage.push({ path: join(this.#images, `${hexOf(record.imageDigest)}.json`), bytes: 0 });
    }
    garbage.push(...(await this.#files(this.#blobs, (name, ageMs) => !used.has(name) && ageMs > STALE_MS)));
    garbage.push(...(await this.#files(this.workFolder, (_, ageMs) => ageMs > STALE_MS)));
    if (!options.dryRun) {
      for (const { path } of garbage) await rm(path, { recursive: true, force: true });
    }
    return garbage;
  }

  async #files(folder: string, isGarbage: (name: string, ageMs: number) => boolean): Promise<Garbage[]> {
    const found: Garbage[] = [];
    for (const name of (await readdir(folder).catch(undefinedIfMissing)) ?? []) {
      const path = join(folder, name);
      const info = await stat(path).catch(undefinedIfMissing);
      if (info && isGarbage(basename(path), Date.now() - info.mtimeMs)) {
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
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
