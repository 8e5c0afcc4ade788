/** Makes the chunk table of an image file. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { CHUNK_BYTES, type ChunkTable } from './chunk-table.ts';

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** True where every byte is zero. */
export const isZero = (data: Buffer): boolean => data.compare(ZEROS, 0, data.length) === 0;

/**
 * Reads a file once and describes it.
 * @param signal stops between chunks
 * @throws Error where the file is empty, or changes while it is read
 */
export async function chunkFile(path: string, signal?: AbortSignal): Promise<ChunkTable> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size === 0) throw new Error(`describing ${path}: it is empty`);
    const chunks: string[] = [];
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let offset = 0; offset < size; offset += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK_BYTES, size - offset);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      if (bytesRead !== length)
        throw new Error(`describing ${path}: it ended at byte ${offset + bytesRead} of ${size}`);
      const data = buffer.subarray(0, length);
      chunks.push(isZero(data) ? '' : createHash('sha256').update(data).digest('hex'));
    }
    return { version: 1, sizeBytes: size, chunkBytes: CHUNK_BYTES, chunks };
  } finally {
    await file.close();
  }
}
