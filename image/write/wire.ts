/**
 * A batch on its way to a thread. Posted as objects, the names of all fields of all chunks are written and read again: a tenth of the
 * time of a whole write.
 */
import type { Batch, BatchChunk } from './batch.ts';

/** A batch in a few pieces of memory. */
export interface WireBatch extends Pick<Batch, 'start' | 'end' | 'mode'> {
  /** {@link FIELDS} numbers for each chunk. */
  readonly chunks: Float64Array;
  /** Of all chunks, one after the other. */
  readonly sha256: string;
  /** Offset and length of each. */
  readonly zeros: Float64Array;
}

/** Index, offset, length, pack, offset and length in the pack, and from where; −1 where that is nowhere. */
const FIELDS = 7;
const SHA256_DIGITS = 64;

/** For posting. */
export function toWire({ start, end, mode, chunks, zeros }: Batch): WireBatch {
  const numbers = new Float64Array(chunks.length * FIELDS);
  let at = 0;
  let sha256 = '';
  for (const chunk of chunks) {
    const { index, offset, length, pack, packedOffset, packedLength, from } = chunk;
    numbers[at++] = index;
    numbers[at++] = offset;
    numbers[at++] = length;
    numbers[at++] = pack;
    numbers[at++] = packedOffset;
    numbers[at++] = packedLength;
    numbers[at++] = from ?? -1;
    sha256 += chunk.sha256;
  }
  return {
    start,
    end,
    mode,
    chunks: numbers,
    sha256,
    zeros: Float64Array.from(zeros.flatMap(({ offset, length }) => [offset, length])),
  };
}

/** What was posted. */
export function fromWire({ start, end, mode, chunks: numbers, sha256, zeros }: WireBatch): Batch {
  const number = (at: number): number => numbers[at] ?? Number.NaN;
  const chunks = Array.from({ length: numbers.length / FIELDS }, (_, chunk): BatchChunk => {
    const at = chunk * FIELDS;
    const from = number(at + 6);
    return {
      index: number(at),
      offset: number(at + 1),
      length: number(at + 2),
      pack: number(at + 3),
      packedOffset: number(at + 4),
      packedLength: number(at + 5),
      sha256: sha256.slice(chunk * SHA256_DIGITS, (chunk + 1) * SHA256_DIGITS),
      ...(from >= 0 && { from }),
    };
  });
  const extents = Array.from({ length: zeros.length / 2 }, (_, extent) => ({
    offset: zeros[2 * extent] ?? Number.NaN,
    length: zeros[2 * extent + 1] ?? Number.NaN,
  }));
  return { start, end, mode, chunks, zeros: extents };
}
