/** Makes the chunk table of an image file. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { CHUNK_BYTES, type ChunkTable } from './chunk-table.ts';
import type { Digest } from './digest.ts';

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** True where every byte is zero. */
export const isZero = (data: Buffer): boolean => data.compare(ZEROS, 0, data.length) === 0;

/** What one pass over an image file tells. */
export interface Description {
  readonly table: ChunkTable;
  /** Digest of all bytes, as sha256sum(1) prints it. */
  readonly digest: Digest;
}

/**
 * Reads a file once and describes it. Holes are read like zeros: the kernel makes them up faster than they are hashed.
 * @param signal stops between chunks
 * @throws Error where the file is empty, or ends before its size
 */
export async function describeImage(path: string, signal?: AbortSignal): Promise<Description> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size === 0) throw new Error(`describing ${path}: it is empty`);
    const whole = createHash('sha256');
    const chunks: string[] = [];
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let offset = 0; offset < size; offset += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK_BYTES, size - offset);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      if (bytesRead !== length)
        throw new Error(`describing ${path}: it ended at byte ${offset + bytesRead} of ${size}`);
      const data = buffer.subarray(0, length);
      whole.update(data);
      chunks.push(isZero(data) ? '' : createHash('sha256').update(data).digest('hex'));
    }
    const table: ChunkTable = { version: 1, sizeBytes: size, chunkBytes: CHUNK_BYTES, chunks };
    return { table, digest: `sha256:${whole.digest('hex')}` };
  } finally {
    await file.close();
  }
}
