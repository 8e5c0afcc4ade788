/** Writes an image onto a disk: verified before it is written, resumed where the disk shows that it was left. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Chunk, type ChunkTable, chunksOf } from './chunk-table.ts';
import { isZero } from './chunker.ts';
import { digestOf } from './digest.ts';
import { alignedBuffer, DirectFile } from './direct-file.ts';
import { ImageIoError } from './io-error.ts';

/** Flushed after so many bytes: often enough that progress is true, seldom enough to cost nothing. */
const FLUSH_BYTES = 32 * 1024 * 1024;

/** How far a write has come. */
export interface WriteProgress {
  /** Bytes of the image that are on the disk and flushed. */
  readonly flushedBytes: number;
  readonly totalBytes: number;
}

/** What is written where. */
export interface WriteRequest {
  /** The raw image file that the table describes. */
  readonly source: string;
  readonly table: ChunkTable;
  /** A block device or a file that is large enough. */
  readonly target: string;
  /** Where the image begins on the target; a multiple of 4096. Default 0. */
  readonly offsetBytes?: number;
  readonly onProgress?: (progress: WriteProgress) => void;
  /** Stops between chunks; what is written stays, and the next call goes on there. */
  readonly signal?: AbortSignal;
}

/** What was done. The three sum up to the size of the image. */
export interface WriteReport {
  readonly writtenBytes: number;
  /** Found on the target already, by hash. */
  readonly reusedBytes: number;
  /** Zeros that the target held already. */
  readonly skippedBytes: number;
}

/** The bytes of a chunk in the source are not what the table says. */
export class CorruptChunk extends Error {
  override readonly name = 'CorruptChunk';
}

/**
 * Writes all chunks, in order.
 *
 * From the start, what the target holds is hashed; the first chunk that differs is where an interrupted write was left, and
 * from there on everything is written without looking. Zeros are always looked for, since reading is cheaper than writing, and
 * written where the target holds something else: what a disk held before must not show through.
 * @throws CorruptChunk before a wrong chunk is written; TargetTooSmall before anything is; ImageIoError with the offset
 */
export async function writeChunks(request: WriteRequest): Promise<WriteReport> {
  const { table, offsetBytes = 0, onProgress, signal } = request;
  const source = await open(request.source, 'r');
  const target = await DirectFile.open(request.target, 'r+').catch(async (error: unknown) => {
    await source.close();
    throw error;
  });
  try {
    await target.requireSize(offsetBytes + table.sizeBytes);
    const writer = new ChunkWriter(request, source, target);
    let unflushed = 0;
    for (const chunk of chunksOf(table)) {
      signal?.throwIfAborted();
      await writer.put(chunk, offsetBytes + chunk.offset);
      unflushed += chunk.length;
      const end = chunk.offset + chunk.length;
      if (unflushed < FLUSH_BYTES && end < table.sizeBytes) continue;
      await target.flush();
      unflushed = 0;
      onProgress?.({ flushedBytes: end, totalBytes: table.sizeBytes });
    }
    return writer.report;
  } finally {
    await target.close();
    await source.close();
  }
}

class ChunkWriter {
  readonly report = { writtenBytes: 0, reusedBytes: 0, skippedBytes: 0 };
  readonly #request: WriteRequest;
  readonly #source: FileHandle;
  readonly #target: DirectFile;
  readonly #buffer = alignedBuffer();
  /** True until the first chunk that the target does not hold. */
  #resuming = true;

  constructor(request: WriteRequest, source: FileHandle, target: DirectFile) {
    this.#request = request;
    this.#source = source;
    this.#target = target;
  }

  async put(chunk: Chunk, position: number): Promise<void> {
    const { digest, length } = chunk;
    const looks = this.#resuming || !digest;
    const held = looks ? await this.#target.read(this.#buffer, length, position) : undefined;
    if (held && !digest && isZero(held)) this.report.skippedBytes += length;
    else if (held && digest && digestOf(held) === digest) this.report.reusedBytes += length;
    else {
      this.#resuming = false;
      await this.#target.write(await this.#content(chunk), position);
      this.report.writtenBytes += length;
    }
  }

  async #content(chunk: Chunk): Promise<Buffer> {
    if (!chunk.digest) return this.#buffer.subarray(0, chunk.length).fill(0);
    const path = this.#request.source;
    const { bytesRead } = await this.#source
      .read(this.#buffer, 0, chunk.length, chunk.offset)
      .catch((error: unknown) => {
        throw new ImageIoError(`reading ${path} at byte ${chunk.offset}`, error);
      });
    const data = this.#buffer.subarray(0, bytesRead);
    const found = digestOf(data);
    if (found === chunk.digest) return data;
    throw new CorruptChunk(
      `reading chunk ${chunk.index} of ${path} at byte ${chunk.offset}: ` +
        `expected ${chunk.length} bytes with ${chunk.digest}, found ${bytesRead} with ${found}`,
    );
  }
}
