/** Compressed bytes on their way from where they were fetched to the thread that needs them: moved, not copied. */
import type { BatchChunk } from './batch.ts';

/** A range of a pack. */
export interface PackedRange {
  readonly pack: number;
  /** Bytes from the start of the pack. */
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Some ranges. */
export type Packed = readonly PackedRange[];

/** @returns the compressed bytes of a chunk, where one of the ranges has them */
export function packedBytesOf(packed: Packed, chunk: BatchChunk): Uint8Array | undefined {
  const end = chunk.packedOffset + chunk.packedLength;
  const range = packed.find(
    ({ pack, offset, bytes }) =>
      pack === chunk.pack && offset <= chunk.packedOffset && end <= offset + bytes.length,
  );
  return range?.bytes.subarray(chunk.packedOffset - range.offset, end - range.offset);
}

/** Bytes of all ranges. */
export const packedLength = (packed: Packed): number =>
  packed.reduce((total, { bytes }) => total + bytes.length, 0);

/** The memory that they lie in. */
export const memoryOf = (packed: Packed): readonly ArrayBuffer[] => packed.map(({ bytes }) => bytes.buffer);
