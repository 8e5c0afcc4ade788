/** What `iguana image write` remembers of a disk: how far a write has come, and which image it holds since the last one. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../image/digest.ts';
import type { ChunkTable } from '../../image/format/chunk-table.ts';
import { checkTable } from '../../image/format/decode-table.ts';
import { BadImage } from '../../image/format/errors.ts';
import type { ImagePart } from '../../image/format/read-image.ts';
import { piecesOf, TableFile } from '../../image/format/table-bytes.ts';
import { errorCode, ImageIoError } from '../../image/io-error.ts';
import type { ByteRange } from '../../image/write/flusher.ts';
import type { RecordContent } from './image-write-record-schema.ts';

/** Between two savings: what was written meanwhile is looked for on the disk anyway. */
const SAVE_MS = 500;

/** The record of one disk, in the state folder. All that it says is verified by hash before it is used. */
export class WriteRecord {
  readonly #folder: string;
  readonly #key: string;
  #content: RecordContent;
  #part: ImagePart | undefined;
  #savedAt = 0;
  #saving = Promise.resolve();

  private constructor(folder: string, key: string, content: RecordContent) {
    this.#folder = folder;
    this.#key = key;
    this.#content = content;
  }

  /** @param state the state folder */
  static async open(state: string, disk: string): Promise<WriteRecord> {
    const folder = join(state, 'image-writes');
    await mkdir(folder, { recursive: true });
    const key = createHash('sha256').update(disk).digest('hex').slice(0, 16);
    return new WriteRecord(folder, key, (await read(join(folder, `${key}.json`))) ?? { version: 1, disk });
  }

  /** What an interrupted write of this very image has flushed; undefined where there was none. */
  flushedOf(image: Digest, part: string): readonly ByteRange[] | undefined {
    const { writing } = this.#content;
    return writing?.image === image && writing.part === part ? writing.flushed : undefined;
  }

  /** The table of the image that the disk held last. */
  async heldTable(): Promise<ChunkTable | undefined> {
    const { holds } = this.#content;
    if (!holds) return undefined;
    const path = join(this.#folder, holds.table);
    const file = await stat(path).catch(ignoreMissing);
    if (!file) return undefined;
    try {
      return checkTable(`reading ${path}`, TableFile.open(path, file.size), holds);
    } catch (error) {
      // It only saves work: without it everything is fetched.
      if (error instanceof BadImage || error instanceof ImageIoError) return undefined;
      throw error;
    }
  }

  /** A write begins. */
  async begin(image: Digest, part: ImagePart): Promise<void> {
    this.#part = part;
    const flushed = this.flushedOf(image, part.name) ?? [];
    this.#content = { ...this.#content, writing: { image, part: part.name, flushed } };
    await this.#save();
  }

  /** More is flushed; saved now and then. */
  progress(flushed: readonly ByteRange[]): void {
    const { writing } = this.#content;
    if (!writing || Date.now() - this.#savedAt < SAVE_MS) return;
    this.#savedAt = Date.now();
    this.#content = { ...this.#content, writing: { ...writing, flushed } };
    this.#saving = this.#saving.then(() => this.#save());
    // Told by close().
    this.#saving.catch(() => undefined);
  }

  /** The disk holds the image. */
  async complete(): Promise<void> {
    const { writing, holds: before } = this.#content;
    if (!writing || !this.#part) return;
    const { image, part } = writing;
    const { chunks, sizeBytes, dataBytes } = this.#part;
    const table = `${this.#key}-${image.slice(-16)}.table`;
    // It may be the one that the record names: of a write that ends here it must be whole.
    const path = join(this.#folder, table);
    await writeFile(`${path}.new`, piecesOf(chunks.bytes));
    await rename(`${path}.new`, path);
    const { version, disk } = this.#content;
    await this.#saving;
    this.#content = { version, disk, holds: { image, part, sizeBytes, dataBytes, table } };
    await this.#save();
    if (before && before.table !== table) await rm(join(this.#folder, before.table), { force: true });
  }

  /** @throws Error where the record could not be saved */
  async close(): Promise<void> {
    await this.#saving;
  }

  async #save(): Promise<void> {
    const path = join(this.#folder, `${this.#key}.json`);
    await writeFile(`${path}.new`, JSON.stringify(this.#content));
    await rename(`${path}.new`, path);
  }
}

/** @returns nothing where there is no record, or one that this version does not understand: it only saves work */
async function read(path: string): Promise<RecordContent | undefined> {
  const text = await readFile(path, 'utf8').catch(ignoreMissing);
  if (text === undefined) return undefined;
  // Most disks have none, and loading a schema library takes as long as starting Node.
  const { recordSchema } = await import('./image-write-record-schema.ts');
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
