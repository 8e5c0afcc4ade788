/**
 * Where chunks begin and end. Boundaries follow the content: where bytes are inserted or moved by whole blocks, the chunks
 * behind them are the same as before. Measured against others in docs/decisions.md.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, MAX_CHUNKS } from '../format/limits.ts';

/** How long chunks are. */
export interface ChunkSizes {
  /** Below it no boundary is looked for; a run of zeros this long is left out. */
  readonly minBytes: number;
  /** How far it is from there to the next boundary, on average, where no file ends; a power of two. */
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** By the average. With a least length of a quarter, no image of up to a tebibyte can have more than {@link MAX_CHUNKS}. */
const AIMED_CHUNKS = MAX_CHUNKS / 4;
const SMALLEST_AVERAGE = 64 * 2 ** 10;
const LARGEST_AVERAGE = 2 * 2 ** 20;

/** The sizes for an image: small ones find more of an older image, large ones make tables that stay small. */
export function chunkSizesFor(sizeBytes: number): ChunkSizes {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, sizeBytes / AIMED_CHUNKS)));
  const averageBytes = Math.min(LARGEST_AVERAGE, Math.max(SMALLEST_AVERAGE, wanted));
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 };
}

/** Whether a chunk may end behind this block. Only the block decides, so that it takes one block to be in step again. */
export type BoundaryRule = (block: Buffer, sizes: ChunkSizes) => boolean;

/** CRC-32 (ISO 3309) spreads well enough, and Node computes it natively. */
export const byContent: BoundaryRule = (block, { averageBytes }) =>
  crc32(block) % (averageBytes / BLOCK_BYTES) === 0;

const TAIL = Buffer.alloc(16);

/**
 * A block that ends with zeros is most often the last of a file. Filesystems that are made anew put files at other places, and whole:
 * a chunk that ends with its file is found again.
 */
export const byFileEnd: BoundaryRule = (block) => block.subarray(-TAIL.length).equals(TAIL);

/** The rule of the format's packer. */
export const byFileEndOrContent: BoundaryRule = (block, sizes) =>
  byFileEnd(block, sizes) || byContent(block, sizes);
