/** Reads an image back from a disk and compares it with its table. */
import { type ChunkTable, chunksOf } from './chunk-table.ts';
import { isZero } from './chunker.ts';
import { digestOf } from './digest.ts';
import { alignedBuffer, DirectFile } from './direct-file.ts';

/** What is read where. */
export interface VerifyRequest {
  readonly table: ChunkTable;
  readonly target: string;
  /** Where the image begins on the target; a multiple of 4096. Default 0. */
  readonly offsetBytes?: number;
  readonly onProgress?: (progress: { readonly readBytes: number; readonly totalBytes: number }) => void;
  /** Stops between chunks. */
  readonly signal?: AbortSignal;
}

/** A chunk on the disk is not what was written. */
export class ChunkMismatch extends Error {
  override readonly name = 'ChunkMismatch';
}

/**
 * Compares every chunk, read with direct access: from the disk, not from a cache.
 * @throws ChunkMismatch for the first chunk that differs; TargetTooSmall; ImageIoError with the offset
 */
export async function verifyChunks(request: VerifyRequest): Promise<void> {
  const { table, target: path, offsetBytes = 0, onProgress, signal } = request;
  const target = await DirectFile.open(path, 'r');
  const buffer = alignedBuffer();
  try {
    await target.requireSize(offsetBytes + table.sizeBytes);
    for (const { index, offset, length, digest } of chunksOf(table)) {
      signal?.throwIfAborted();
      const data = await target.read(buffer, length, offsetBytes + offset);
      const isRight = digest ? digestOf(data) === digest : isZero(data);
      if (!isRight) {
        throw new ChunkMismatch(
          `reading back chunk ${index} of ${path} at byte ${offsetBytes + offset}: ` +
            `expected ${digest ?? 'zeros'}, found ${digestOf(data)}`,
        );
      }
      onProgress?.({ readBytes: offset + length, totalBytes: table.sizeBytes });
    }
  } finally {
    await target.close();
  }
}
