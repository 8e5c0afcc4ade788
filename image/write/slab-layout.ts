/** Where the parts of a batch lie in a slab: in the order of the image, so that neighbours on the disk are written as one. */
import { BLOCK_BYTES } from '../direct-file.ts';
import type { Batch, BatchChunk, Extent } from './batch.ts';
import { SMALL_ZEROS_BYTES } from './zeros.ts';

/** A chunk or a short run of zeros, with its place in the slab, where it has room for whole blocks. */
export interface Piece extends Extent {
  readonly chunk?: BatchChunk;
  readonly at: number;
}

/** Bytes of the disk that lie in the slab as one. */
export interface Run {
  readonly at: number;
  readonly offset: number;
  length: number;
}

/** The pieces of a batch, in the order of the image. */
export function layOut({ chunks, zeros }: Batch): readonly Piece[] {
  const parts = [
    ...chunks.map((chunk) => ({ offset: chunk.offset, length: chunk.length, chunk })),
    ...zeros.filter(({ length }) => length < SMALL_ZEROS_BYTES),
  ].sort((a, b) => a.offset - b.offset);
  let at = 0;
  return parts.map((part) => {
    const piece = { ...part, at };
    at += wholeBlocks(part.length);
    return piece;
  });
}

/** Neighbours in the slab that are neighbours on the disk, as one. */
export function runsOf(parts: readonly (Extent & { readonly at: number })[]): readonly Run[] {
  const runs: Run[] = [];
  for (const { at, offset, length } of parts) {
    const last = runs.at(-1);
    if (last && last.at + last.length === at && last.offset + last.length === offset) last.length += length;
    else runs.push({ at, offset, length });
  }
  return runs;
}

/** Bytes with what is missing to whole blocks. */
export const wholeBlocks = (length: number): number => Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
