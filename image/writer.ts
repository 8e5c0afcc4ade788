/** Writes an image onto a disk: verified before it is written, resumed where the disk shows that it was left. */
import { type FileHandle, open } from 'node:fs/promises';
import { CHUNK_BYTES, type Chunk, type ChunkTable, chunksOf } from './chunk-table.ts';
import { isZero } from './chunker.ts';
import { digestOf } from './digest.ts';
import { alignedBuffer, DirectFile } from './direct-file.ts';

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
 * @throws CorruptChunk before a wrong chunk is written; what the disk or the source fails with, with the offset
 */
export async function writeChunks(request: WriteRequest): Promise<WriteReport> {
  const { table, offsetBytes = 0, onProgress, signal } = request;
  const source = await open(request.source, 'r');
  const target = await DirectFile.open(request.target, 'r+').catch(async (error: unknown) => {
    await source.close();
    throw error;
  });
  const buffer = alignedBuffer();
  const report = { writtenBytes: 0, reusedBytes: 0, skippedBytes: 0 };
  let resuming = true;
  let unflushed = 0;
  let flushedBytes = 0;
  try {
    for (const chunk of chunksOf(table)) {
      signal?.throwIfAborted();
      const position = offsetBytes + chunk.offset;
      if (!chunk.digest) {
        if (isZero(await target.read(buffer, chunk.length, position))) report.skippedBytes += chunk.length;
        else {
          resuming = false;
          await target.write(buffer.subarray(0, chunk.length).fill(0), position);
          report.writtenBytes += chunk.length;
        }
      } else if (resuming && digestOf(await target.read(buffer, chunk.length, position)) === chunk.digest) {
        report.reusedBytes += chunk.length;
      } else {
        resuming = false;
        await target.write(await readSource(source, request.source, chunk, buffer), position);
        report.writtenBytes += chunk.length;
      }
      unflushed += chunk.length;
      if (unflushed >= FLUSH_BYTES || chunk.offset + CHUNK_BYTES >= table.sizeBytes) {
        await target.flush();
        unflushed = 0;
        flushedBytes = chunk.offset + chunk.length;
        onProgress?.({ flushedBytes, totalBytes: table.sizeBytes });
      }
    }
    return report;
  } finally {
    await target.close();
    await source.close();
  }
}

async function readSource(file: FileHandle, path: string, chunk: Chunk, buffer: Buffer): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, chunk.length, chunk.offset);
  const data = buffer.subarray(0, bytesRead);
  const found = digestOf(data);
  if (found !== chunk.digest) {
    throw new CorruptChunk(
      `reading chunk ${chunk.index} of ${path} at byte ${chunk.offset}: expected ${chunk.length} bytes with ${chunk.digest}, ` +
        `found ${bytesRead} with ${found}`,
    );
  }
  return data;
}
