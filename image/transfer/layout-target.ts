/** An OCI layout folder of this machine that takes an image (image-spec v1.1, image-layout.md). One writer at a time. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOfFile } from '../digest.ts';
import { errorCode, ImageIoError } from '../io-error.ts';
import { type Task, WrongContent } from '../source/errors.ts';
import { type IndexEntry, parseIndexJson, TAG_ANNOTATION } from '../source/index-json.ts';
import { formatReference, type LayoutReference, placeOf } from '../source/reference.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';
import { onePiece } from './blob-stream.ts';
import { blobPath, LayoutSource } from './layout-source.ts';
import type { ImageTarget } from './target.ts';

/** Writes into a folder, which is made where it is missing. */
export class LayoutTarget implements ImageTarget {
  readonly name: string;
  readonly #folder: string;
  readonly #place: string;
  readonly #source: LayoutSource;

  constructor(reference: LayoutReference) {
    this.name = formatReference(reference);
    this.#folder = reference.folder;
    this.#place = placeOf(reference);
    this.#source = new LayoutSource(reference);
  }

  async has(blob: BlobDescriptor): Promise<boolean> {
    const path = blobPath(this.#folder, blob);
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    // Read, not believed: a blob that was damaged on the disk is taken anew.
    return size === blob.sizeBytes && (await digestOfFile(path)) === blob.digest;
  }

  async put(
    blob: BlobDescriptor,
    openBytes: (signal?: AbortSignal) => AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const path = blobPath(this.#folder, blob);
    await this.#writing(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      await writeDurably(path, async (write) => {
        const hash = createHash('sha256');
        let size = 0;
        for await (const piece of openBytes(signal)) {
          hash.update(piece);
          size += piece.length;
          await write(piece);
        }
        const found = `sha256:${hash.digest('hex')}`;
        if (found !== blob.digest || size !== blob.sizeBytes) throw this.#wrong(blob, found, size);
      });
    });
  }

  /**
   * Writes a blob whose digest is known when it is written.
   * @returns what it turned out to be; nothing is written where nothing comes
   */
  async putNew(pieces: AsyncIterable<Buffer>): Promise<BlobDescriptor> {
    const folder = join(this.#folder, 'blobs', 'sha256');
    const incoming = join(folder, `incoming.${process.pid}`);
    return await this.#writing(incoming, async () => {
      await mkdir(folder, { recursive: true });
      const hash = createHash('sha256');
      let sizeBytes = 0;
      await writeDurably(incoming, async (write) => {
        for await (const piece of pieces) {
          hash.update(piece);
          sizeBytes += piece.length;
          await write(piece);
        }
      });
      const blob: BlobDescriptor = { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
      if (sizeBytes === 0) await rm(incoming);
      else await rename(incoming, blobPath(this.#folder, blob));
      return blob;
    });
  }

  async putManifest(manifest: ManifestBytes, tag: string | undefined): Promise<void> {
    const { bytes, digest, mediaType } = manifest;
    await this.put({ digest, sizeBytes: bytes.length }, () => onePiece(bytes));
    const entries = await this.#entries();
    // A tag names one manifest; one without a tag is named once.
    const others = entries.filter(({ annotations, ...entry }) => {
      const otherTag = annotations?.[TAG_ANNOTATION];
      return tag === undefined
        ? entry.digest !== digest
        : otherTag !== tag && (otherTag || entry.digest !== digest);
    });
    const kept = tag === undefined ? entries.find((entry) => entry.digest === digest) : undefined;
    const entry: IndexEntry = kept ?? {
      mediaType,
      digest,
      size: bytes.length,
      ...(tag !== undefined && { annotations: { [TAG_ANNOTATION]: tag } }),
    };
    await this.#writeIndex([...others, entry]);
  }

  async findManifest(tag: string): Promise<ManifestBytes | undefined> {
    return (await this.#entries()).length === 0 ? undefined : await this.#source.attached(tag);
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  async #entries(): Promise<readonly IndexEntry[]> {
    const path = join(this.#folder, 'index.json');
    try {
      return parseIndexJson({ doing: 'reading index.json', source: this.#place }, await readFile(path));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async #writeIndex(manifests: readonly IndexEntry[]): Promise<void> {
    const path = join(this.#folder, 'index.json');
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests,
    };
    await this.#writing(path, async () => {
      await writeFile(join(this.#folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeDurably(path, (write) => write(Buffer.from(JSON.stringify(index))));
    });
  }

  /** Names the file in failures of the filesystem; others pass. */
  async #writing<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw errorCode(error) === undefined ? error : new ImageIoError(`writing ${path}`, error);
    }
  }

  #wrong({ digest, sizeBytes }: BlobDescriptor, found: string, size: number): WrongContent {
    const task: Task = { doing: `writing ${digest}`, direction: 'to', source: this.#place, blob: digest };
    return new WrongContent(task, 'other bytes came', {
      expected: `${digest} of ${sizeBytes} bytes`,
      found: `${found} of ${size} bytes`,
    });
  }
}

/** The file appears whole, or not at all, also where the power fails. */
async function writeDurably(
  path: string,
  fill: (write: (piece: Buffer) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.partial`;
  const file = await open(temporary, 'w');
  try {
    try {
      await fill(async (piece) => await file.writeFile(piece));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
